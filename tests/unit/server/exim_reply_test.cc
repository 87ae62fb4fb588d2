// SPDX-License-Identifier: Apache-2.0
#include "server/exim_reply.h"

#include <doctest/doctest.h>

#include <random>

#include "fakes.h"
#include "policy/fixed_answer.h"
#include "server/mta_reply.h"

using namespace sealane;

namespace {

Decision with_action(Action action) {
  Decision decision;
  decision.action = action;
  return decision;
}

Decision sts(const std::vector<std::string>& patterns) {
  Decision decision = with_action(Action::sts);
  for (const std::string& text : patterns) {
    decision.patterns.push_back(MxPattern::parse(text).value());
  }
  return decision;
}

Decision temporary(const std::string& reason) {
  Decision decision = with_action(Action::temporary);
  decision.reason = reason;
  return decision;
}

/// The line; it must be one that an operator could have written for Exim as well.
std::string line(const Decision& decision) {
  const std::string text = exim_reply(decision, "example.com");
  const auto checked = check_exim_answer(text);
  CHECK_MESSAGE(checked.has_value(), text << ": " << (checked ? "" : checked.error()));
  return text;
}

}  // namespace

TEST_CASE("levels") {
  CHECK(line(with_action(Action::not_found)) == "level=none");
  CHECK(line(with_action(Action::may)) == "level=may");
  CHECK(line(with_action(Action::dane)) == "level=may");
  CHECK(line(with_action(Action::encrypt)) == "level=encrypt");
  CHECK(line(with_action(Action::dane_only)) == "level=dane");
}

TEST_CASE("a policy becomes a list of the hosts that are not left out") {
  CHECK(line(sts({"mx1.a.test", "*.b.test"})) ==
        "level=secure ignore=\"!^mx1[.]a[.]test$ : !^[^.]+[.]b[.]test$ : *\"");
}

TEST_CASE("hosts with DANE, or that may have it, are not left out") {
  Decision decision = sts({"mx1.a.test"});
  decision.dane_hosts = {domain("mx1.a.test"), domain("mx2.c.test")};
  CHECK(line(decision) == "level=secure ignore=\"!^mx1[.]a[.]test$ : !^mx2[.]c[.]test$ : *\"");
}

TEST_CASE("a choice of hosts replaces the policy's names") {
  Decision decision = sts({"*.a.test"});
  decision.restricted = true;
  decision.dane_hosts = {domain("mx_2.a.test")};
  CHECK(line(decision) == "level=secure ignore=\"!^mx_2[.]a[.]test$ : *\"");
}

TEST_CASE("an empty list would let every host pass: it is temporary instead") {
  CHECK(line(with_action(Action::sts)).starts_with("level=temp reason=\"example.com: no name"));
}

TEST_CASE("where TLSA records are of no use, Exim is told to leave DANE alone") {
  Decision decision = with_action(Action::encrypt);
  decision.dane_possible = false;
  CHECK(line(decision) == "level=encrypt dane=no");
  decision = sts({"mx.a.test"});
  decision.dane_possible = false;
  CHECK(line(decision) == "level=secure dane=no ignore=\"!^mx[.]a[.]test$ : *\"");
}

TEST_CASE("testing mode names the hosts and leaves the level alone") {
  Decision decision = sts({"mx.a.test", "*.b.test"});
  decision.action = Action::may;
  CHECK(line(decision) == "level=may");
  decision.report_testing = true;
  CHECK(line(decision) == "level=may mode=testing match=\"^mx[.]a[.]test$|^[^.]+[.]b[.]test$\"");
}

TEST_CASE("a fixed answer is said as it is written, and checked once more") {
  Decision decision = with_action(Action::fixed);
  decision.fixed_reply = "level=encrypt dane=no";
  CHECK(line(decision) == "level=encrypt dane=no");
  decision.fixed_reply = "level=secure ignore=\"a\" \" : *";
  CHECK(line(decision).starts_with("level=temp reason=\"example.com: the fixed reply"));
}

TEST_CASE("a reason is one quoted word whatever is in it") {
  CHECK(line(temporary("MX lookup failed (SERVFAIL)")) ==
        "level=temp reason=\"example.com: MX lookup failed (SERVFAIL)\"");
  CHECK(line(temporary("a\"b\\c\n${run{x}}`\xff")) ==
        "level=temp reason=\"example.com: a?b?c???run?x????\"");
  CHECK(line(temporary("")) == "level=temp reason=\"example.com: no reason is known\"");
  CHECK(exim_reply(temporary("x"), "a\" level=none") == "level=temp reason=\"a? level=none: x\"");
}

TEST_CASE("a reason has a limit, and the quote is closed behind it") {
  for (const std::size_t length : {560u, 561u, 562u, 563u, 564u, 565u, 100'000u}) {
    const std::string text = line(temporary(std::string(length, 'x')));
    CHECK(text.size() <= kMaxEximTemporary);
    CHECK(text.ends_with("x\""));
  }
}

TEST_CASE("the longest policy there can be fits, and what is longer is temporary") {
  std::vector<std::string> names;
  const auto name = [](std::size_t i) {
    std::string text = "mx: ";
    for (; i > 0; i /= 26) text += static_cast<char>('a' + i % 26);
    return text.substr(4) + ".b";
  };
  std::size_t octets = 0;
  for (std::size_t i = 1; octets < kMaxPolicyBody; ++i) {
    names.push_back("*." + name(i));
    octets += names.back().size() + 5;  // "mx: " and the line end
  }
  CHECK(line(sts(names)).starts_with("level=secure "));
  Decision decision = sts({"a.test"});
  for (std::size_t i = 0; i < 1'400; ++i) {
    const std::string label(60, static_cast<char>('a' + i % 26));
    decision.dane_hosts.push_back(
        domain("h" + std::to_string(i) + "." + label + "." + label + "." + label));
  }
  CHECK(line(decision) == "level=temp reason=\"example.com: the answer is too long for the MTA\"");
}

TEST_CASE("whatever is decided, the line is one word after the other") {
  std::mt19937 dice(1);
  for (int i = 0; i < 20'000; ++i) {
    Decision decision = dice() % 2 == 0 ? sts({"*.a.test", "b.test"}) : Decision{};
    decision.action = static_cast<Action>(dice() % 9);
    decision.restricted = dice() % 2 == 0;
    decision.dane_possible = dice() % 2 == 0;
    decision.report_testing = dice() % 2 == 0;
    if (dice() % 2 == 0) decision.dane_hosts = {domain("c.test")};
    for (std::size_t n = dice() % 40; n > 0; --n) {
      decision.reason += static_cast<char>(dice() % 256);
      decision.fixed_reply += static_cast<char>(dice() % 256);
    }
    const std::string text = exim_reply(decision, decision.reason);
    REQUIRE_FALSE(text.empty());
    REQUIRE(text.find('\n') == std::string::npos);
    // Exim's level none or may never gets dane=no beside "none": the one exception of the grammar.
    const auto checked = check_exim_answer(text);
    REQUIRE_MESSAGE(checked.has_value(), text << ": " << (checked ? "" : checked.error()));
  }
}

TEST_CASE("the cache's formatter chooses the language by the dialect") {
  CHECK(mta_reply(with_action(Action::dane_only), Dialect::exim, "a.test") == "level=dane");
  CHECK(mta_reply(with_action(Action::dane_only), Dialect::postfix, "a.test") == "OK dane-only");
}

// SPDX-License-Identifier: Apache-2.0
#include "server/postfix_reply.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "server/postfix_grammar.h"
#include "server/postfix_words.h"

using namespace sealane;

namespace {

Decision with_action(Action action) {
  Decision decision;
  decision.action = action;
  return decision;
}

Decision sts(const std::vector<std::string>& patterns, std::vector<std::string> lines = {}) {
  Decision decision = with_action(Action::sts);
  for (const std::string& text : patterns) {
    decision.patterns.push_back(MxPattern::parse(text).value());
  }
  decision.policy = StsPolicy{};
  decision.policy->mode = StsMode::enforce;
  decision.policy->mx = decision.patterns;
  decision.policy->lines = std::move(lines);
  decision.policy_domain = "example.com";
  return decision;
}

std::string to_postfix(const Decision& decision) {
  const std::string reply = postfix_reply(decision, Dialect::postfix, "example.com");
  const auto read = read_postfix_reply(reply, PostfixVersion::old);
  CHECK_MESSAGE(read.has_value(), reply << ": " << (read ? "" : read.error()));
  return reply;
}

std::string to_tlsrpt(const Decision& decision) {
  const std::string reply = postfix_reply(decision, Dialect::postfix_tlsrpt, "example.com");
  const auto read = read_postfix_reply(reply, PostfixVersion::current);
  CHECK_MESSAGE(read.has_value(), reply << ": " << (read ? "" : read.error()));
  return reply;
}

std::string to_sendmail(const Decision& decision) {
  return postfix_reply(decision, Dialect::sendmail_sts, "example.com");
}

std::string to_requiretls(const Decision& decision) {
  return postfix_reply(decision, Dialect::requiretls, "example.com");
}

Decision fixed(const std::string& words) {
  Decision decision = with_action(Action::fixed);
  decision.fixed_reply = words;
  return decision;
}

Decision temporary(const std::string& reason) {
  Decision decision = with_action(Action::temporary);
  decision.reason = reason;
  return decision;
}

/// `count` host names of 253 octets, all different.
std::vector<std::string> long_names(std::size_t count) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < count; ++i) {
    names.push_back(fmt::format("{0}{1:04}.{0}aaaa.{0}aaaa.{0}aa", std::string(59, 'a'), i));
  }
  return names;
}

}  // namespace

TEST_CASE("plain levels are one word") {
  CHECK(to_postfix(with_action(Action::dane_only)) == "OK dane-only");
  CHECK(to_postfix(with_action(Action::dane)) == "OK dane");
  CHECK(to_postfix(with_action(Action::may)) == "OK may");
  CHECK(to_postfix(with_action(Action::encrypt)) == "OK encrypt");
}

TEST_CASE("not found ends in a blank") {
  CHECK(to_postfix(with_action(Action::not_found)) == "NOTFOUND ");
  CHECK(to_sendmail(with_action(Action::not_found)) == "NOTFOUND ");
  CHECK(to_requiretls(with_action(Action::not_found)) == "NOTFOUND ");
}

TEST_CASE("MTA-STS becomes secure with the names of the policy and SNI") {
  CHECK(to_postfix(sts({"mx1.example.com", "*.example.net"})) ==
        "OK secure match=mx1.example.com:.example.net servername=hostname");
}

TEST_CASE("a choice of hosts replaces the names of the policy") {
  Decision decision = sts({"*.example.com"});
  decision.restricted = true;
  decision.hosts = {Domain::parse("mx2.example.com").value()};
  CHECK(to_postfix(decision) == "OK secure match=mx2.example.com servername=hostname");
  CHECK(to_tlsrpt(decision) ==
        "OK secure match=mx2.example.com servername=hostname policy_type=sts "
        "policy_domain=example.com mx_host_pattern=mx2.example.com");
}

TEST_CASE("names that stand twice are said once") {
  CHECK(to_postfix(sts({"a.example.com", "a.example.com"})) ==
        "OK secure match=a.example.com servername=hostname");
}

TEST_CASE("the tlsrpt dialect adds the policy in file order") {
  CHECK(to_tlsrpt(sts({"mx.example.com", "*.b.example"},
                      {"version: STSv1", "mode: enforce", "mx: mx.example.com", "mx: *.b.example",
                       "max_age: 604800"})) ==
        "OK secure match=mx.example.com:.b.example servername=hostname policy_type=sts "
        "policy_domain=example.com mx_host_pattern=mx.example.com mx_host_pattern=*.b.example "
        "{ policy_string = version: STSv1 } { policy_string = mode: enforce } "
        "{ policy_string = mx: mx.example.com } { policy_string = mx: *.b.example } "
        "{ policy_string = max_age: 604800 }");
}

TEST_CASE("DANE levels never carry a policy to report") {
  Decision decision = sts({"a.example.com"}, {"version: STSv1"});
  decision.action = Action::dane_only;
  CHECK(to_tlsrpt(decision) == "OK dane-only");
  decision.action = Action::dane;
  CHECK(to_tlsrpt(decision) == "OK dane");
}

TEST_CASE("a policy in testing mode is reported without MX patterns, which would block") {
  Decision decision = sts({"a.example.com"}, {"version: STSv1", "mode: testing"});
  decision.action = Action::may;
  decision.report_testing = true;
  CHECK(to_tlsrpt(decision) ==
        "OK may policy_type=sts policy_domain=example.com { policy_string = version: STSv1 } "
        "{ policy_string = mode: testing }");
  CHECK(to_postfix(decision) == "OK may");
}

TEST_CASE("the words that match= takes as keywords are left out") {
  CHECK(to_postfix(sts({"hostname", "nexthop", "dot-nexthop", "mx.example.com"})) ==
        "OK secure match=mx.example.com servername=hostname");
  CHECK(to_postfix(sts({"*.hostname"})) == "OK secure match=.hostname servername=hostname");
}

TEST_CASE("when no name is left the answer is temporary: no empty match, no not found") {
  CHECK(to_postfix(sts({"hostname"})).starts_with("TEMP example.com: "));
  CHECK(to_tlsrpt(sts({"nexthop", "hostname"})).starts_with("TEMP example.com: "));
  CHECK(to_sendmail(sts({"hostname"})).starts_with("TEMP example.com: "));
  CHECK(to_postfix(sts({})).starts_with("TEMP example.com: "));
  Decision decision = sts({"*.example.com"});
  decision.restricted = true;
  CHECK(to_postfix(decision).starts_with("TEMP example.com: "));
}

TEST_CASE("only names that cannot alter the policy text are said") {
  CHECK(policy_name("mx.example.com")->match == "mx.example.com");
  CHECK(policy_name("*.example.com")->match == ".example.com");
  CHECK(policy_name("_x-1.example.com").has_value());
  for (std::string_view bad : {"",
                               ".",
                               "*",
                               "*.",
                               "mx.example.com.",
                               ".example.com",
                               "a..b",
                               "*.*.example.com",
                               "a.*.b",
                               "a b",
                               "a:b",
                               "a,b",
                               "a|b",
                               "a=b",
                               "a\tb",
                               "a{b",
                               "A.example.com",
                               "m\xc3\xbc.example",
                               "hostname",
                               "nexthop",
                               "dot-nexthop",
                               "*..example.com"}) {
    CHECK_MESSAGE(!policy_name(bad).has_value(), bad);
  }
  CHECK_FALSE(policy_name(std::string_view("a\0b", 3)).has_value());
}

TEST_CASE("policy strings that could break out of their braces are left out") {
  CHECK(to_tlsrpt(sts({"a.example.com"},
                      {"x: }y", "x: {y", "x: {y}", "x: a\x01", "x: a\x7f", "x: \xff", "x: \xc2\x85",
                       "x: \xe2\x82", "x:\ty", "", "  ", " x: m\xc3\xbcnchen, a=b "})) ==
        "OK secure match=a.example.com servername=hostname policy_type=sts "
        "policy_domain=example.com mx_host_pattern=a.example.com "
        "{ policy_string = x: m\xc3\xbcnchen, a=b }");
}

TEST_CASE("UTF-8 is told from what only looks like it") {
  CHECK(is_policy_string("a\xf0\x9f\x93\xac"));
  CHECK_FALSE(is_policy_string("\xc0\xaf"));          // overlong
  CHECK_FALSE(is_policy_string("\xe0\x80\xaf"));      // overlong
  CHECK_FALSE(is_policy_string("\xed\xa0\x80"));      // surrogate
  CHECK_FALSE(is_policy_string("\xf4\x90\x80\x80"));  // above U+10FFFF
  CHECK_FALSE(is_policy_string("\x80"));
  CHECK_FALSE(is_policy_string(std::string_view("a\0b", 3)));
}

TEST_CASE("a domain that Postfix would not take costs the report, not the answer") {
  for (std::string_view bad : {"-a.example", "a-.example", "123.45", ""}) {
    Decision decision = sts({"a.example.com"}, {"version: STSv1"});
    decision.policy_domain = bad;
    CHECK(to_tlsrpt(decision) == "OK secure match=a.example.com servername=hostname");
    decision.restricted = true;
    decision.hosts = {Domain::parse("a.example.com").value()};
    CHECK(to_tlsrpt(decision).starts_with("TEMP example.com: "));
    decision.action = Action::may;
    decision.report_testing = true;
    CHECK(to_tlsrpt(decision) == "OK may");
  }
}

TEST_CASE("an MX name that Postfix would not take is no pattern to enforce") {
  Decision decision = sts({"*.example.com"});
  decision.restricted = true;
  decision.hosts = {Domain::parse("-a.example.com").value(),
                    Domain::parse("b.example.com").value()};
  CHECK(to_tlsrpt(decision) ==
        "OK secure match=-a.example.com:b.example.com servername=hostname policy_type=sts "
        "policy_domain=example.com mx_host_pattern=b.example.com");
  decision.hosts.pop_back();
  CHECK(to_tlsrpt(decision).starts_with("TEMP example.com: "));
}

TEST_CASE("what is too long loses the policy strings first and the names never") {
  const std::string line(1000, 'x');
  const std::string longest = to_tlsrpt(sts({"a.example.com"}, std::vector<std::string>(97, line)));
  CHECK(longest.find("policy_string") != std::string::npos);
  const std::string reply = to_tlsrpt(sts({"a.example.com"}, std::vector<std::string>(99, line)));
  CHECK(reply ==
        "OK secure match=a.example.com servername=hostname policy_type=sts "
        "policy_domain=example.com mx_host_pattern=a.example.com");
}

TEST_CASE("a reply of exactly the limit is sent, one octet more loses its strings") {
  const std::string without = to_tlsrpt(sts({"a.example.com"}));
  const std::size_t frame = std::string(" { policy_string =  }").size();
  const std::size_t room = kMaxReply - without.size() - frame;
  CHECK(to_tlsrpt(sts({"a.example.com"}, {std::string(room, 'x')})).size() == kMaxReply);
  CHECK(to_tlsrpt(sts({"a.example.com"}, {std::string(room + 1, 'x')})) == without);
}

TEST_CASE("names that do not fit make the answer temporary") {
  CHECK(to_postfix(sts(long_names(390))).starts_with("OK secure match="));
  CHECK(to_postfix(sts(long_names(400))).starts_with("TEMP example.com: "));
  CHECK(to_tlsrpt(sts(long_names(250))).starts_with("TEMP example.com: "));
  CHECK(to_sendmail(sts(long_names(400))).starts_with("TEMP example.com: "));
}

TEST_CASE("fingerprints are joined by bars") {
  Decision decision = with_action(Action::pins);
  decision.fingerprints = {std::string(64, 'a'), std::string(64, 'b')};
  CHECK(to_postfix(decision) == "OK fingerprint match=" + std::string(64, 'a') + "|" +
                                    std::string(64, 'b') + " servername=hostname");
  decision.fingerprints.clear();
  CHECK(to_postfix(decision).starts_with("TEMP example.com: "));
  decision.fingerprints.assign(1600, std::string(64, 'c'));
  CHECK(to_postfix(decision).starts_with("TEMP example.com: "));
}

TEST_CASE("a temporary answer says for which domain and why") {
  const std::string reason = "TLSA lookup for _25._tcp.mx1.example.com failed (SERVFAIL)";
  CHECK(to_postfix(temporary(reason)) == "TEMP example.com: " + reason);
  CHECK(to_sendmail(temporary(reason)) == "TEMP example.com: " + reason);
  CHECK(to_requiretls(temporary(reason)) == "TEMP example.com: " + reason);
  CHECK(postfix_reply(temporary(reason), Dialect::postfix, "") == "TEMP " + reason);
}

TEST_CASE("a temporary answer is never without a reason, and never unprintable or long") {
  CHECK(to_postfix(temporary("")) == "TEMP example.com: no reason is known");
  CHECK(postfix_reply(temporary("a\nb\xff"), Dialect::postfix, "x\ny") == "TEMP x?y: a?b?");
  const std::string huge(5000, 'z');
  const std::string reply = postfix_reply(temporary(huge), Dialect::postfix, huge);
  CHECK(reply.size() == kMaxTemporaryReply);
  CHECK(reply.find(": z") != std::string::npos);
}

TEST_CASE("the requiretls map is told to enforce wherever TLS is demanded") {
  for (Action action : {Action::dane, Action::dane_only, Action::sts, Action::pins}) {
    CHECK(to_requiretls(with_action(action)) == "OK enforce");
  }
  for (Action action : {Action::not_found, Action::may, Action::encrypt}) {
    CHECK(to_requiretls(with_action(action)) == "NOTFOUND ");
  }
}

TEST_CASE("Sendmail is told the one form it knows") {
  CHECK(to_sendmail(sts({"a.example.com", "*.b.example"}, {"version: STSv1"})) ==
        "OK secure match=a.example.com:.b.example servername=hostname");
  CHECK(to_sendmail(with_action(Action::dane_only)) == "NOTFOUND ");
}

TEST_CASE("a fixed reply is passed on as the operator wrote it") {
  CHECK(to_postfix(fixed("secure match=mx.example.com servername=hostname")) ==
        "OK secure match=mx.example.com servername=hostname");
  CHECK(to_tlsrpt(fixed("encrypt")) == "OK encrypt");
}

TEST_CASE("a fixed reply that is no line of text is not passed on") {
  for (const char* bad : {"", "   ", "may\nencrypt", "m\xc3\xa4y"}) {
    CHECK(to_postfix(fixed(bad)).starts_with("TEMP example.com: "));
  }
}

TEST_CASE("in the requiretls map a fixed reply counts by its level") {
  for (const char* word : {"secure match=a.b", "DANE-ONLY", "verify", "fingerprint match=aa"}) {
    CHECK(to_requiretls(fixed(word)) == "OK enforce");
  }
  for (const char* word : {"none", "may", "encrypt", "dane", "securer"}) {
    CHECK(to_requiretls(fixed(word)) == "NOTFOUND ");
  }
}

TEST_CASE("Sendmail is told a fixed reply in its own form, or not at all") {
  CHECK(to_sendmail(fixed("secure match=mx.A.example:.b.example:nexthop")) ==
        "OK secure match=mx.a.example:.b.example servername=hostname");
  CHECK(to_sendmail(fixed("may")) == "NOTFOUND ");
  CHECK(to_sendmail(fixed("none")) == "NOTFOUND ");
  CHECK(to_sendmail(fixed("dane")) == "NOTFOUND ");
  for (const char* word : {"secure", "secure match=hostname", "encrypt", "dane-only", "verify"}) {
    CHECK(to_sendmail(fixed(word)).starts_with("TEMP example.com: "));
  }
}

TEST_CASE("an answer for Exim is none for a socketmap") {
  CHECK(postfix_reply(with_action(Action::dane_only), Dialect::exim, "a").starts_with("TEMP a: "));
}

TEST_CASE("each map name stands for a dialect, exactly as it is written") {
  CHECK(dialect_named("postfix") == Dialect::postfix);
  CHECK(dialect_named("QUERY") == Dialect::postfix);
  CHECK(dialect_named("postfix-tlsrpt") == Dialect::postfix_tlsrpt);
  CHECK(dialect_named("QUERYwithTLSRPT") == Dialect::postfix_tlsrpt);
  CHECK(dialect_named("postfix-pins") == Dialect::postfix_pins);
  CHECK(dialect_named("requiretls") == Dialect::requiretls);
  CHECK(dialect_named("sts") == Dialect::sendmail_sts);
  for (const char* other : {"", "Postfix", "query", "exim", "postfix ", "STS"}) {
    CHECK_FALSE(dialect_named(other).has_value());
  }
  CHECK(known_map_names() ==
        "postfix, QUERY, postfix-tlsrpt, QUERYwithTLSRPT, postfix-pins, requiretls, sts");
}

TEST_CASE("the re-parser refuses what Postfix refuses") {
  const auto is_bad = [](std::string_view text) {
    return !read_postfix_reply(text, PostfixVersion::current).has_value();
  };
  CHECK(is_bad("OK "));
  CHECK(is_bad("OK secure"));
  CHECK(is_bad("OK secure match= servername=hostname"));
  CHECK(is_bad("OK secure match=a::b servername=hostname"));
  CHECK(is_bad("OK secure match=nexthop servername=hostname"));
  CHECK(is_bad("OK secure match=a. servername=hostname"));
  CHECK(is_bad("OK secure match=a"));
  CHECK(is_bad("OK encrypt match=a"));
  CHECK(is_bad("OK halfdane"));
  CHECK(is_bad("OK may policy_domain=a.example"));
  CHECK(is_bad("OK may policy_type=tlsa"));
  CHECK(is_bad("OK may policy_type=sts { policy_string = } }"));
  CHECK(is_bad("OK may policy_type=sts policy_domain=a policy_domain=b"));
  CHECK(is_bad("OK may foo=bar"));
  CHECK(is_bad("TEMP "));
  CHECK(is_bad("PERM x"));
  CHECK(is_bad(""));
  CHECK_FALSE(read_postfix_reply("OK may policy_type=sts", PostfixVersion::old).has_value());
}

// SPDX-License-Identifier: Apache-2.0
#include "policy/override_file.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "base/text.h"

using namespace sealane;
using namespace std::chrono_literals;
using std::chrono::sys_days;
using std::chrono::sys_seconds;
using std::chrono::year;

namespace {

const sys_seconds kNow = sys_days{year{2026} / 11 / 24};

Overrides rules(std::string_view text) {
  auto read = parse_overrides(text);
  REQUIRE_MESSAGE(read.has_value(), read.error().front().text);
  return *std::move(read);
}

/// The only rule of the text.
OverrideRule rule(std::string_view text) {
  const Overrides read = rules(text);
  REQUIRE(read.rules().size() == 1);
  return read.rules().front();
}

/// "LINE: TEXT" for each error, one a line.
std::string errors(std::string_view text) {
  const auto read = parse_overrides(text);
  if (read) return "no error";
  std::string out;
  for (const OverrideProblem& problem : read.error()) {
    out += fmt::format("{}: {}\n", problem.line, problem.text);
  }
  return out;
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

/// The reason of the rule for a name; empty when there is none.
std::string found(const Overrides& overrides, std::string_view name, sys_seconds now = kNow) {
  const OverrideRule* match = overrides.find(*Domain::parse(name), now);
  return match == nullptr ? "" : match->override_.reason;
}

}  // namespace

TEST_CASE("a file of comments and blank lines has no rules") {
  CHECK(rules("").rules().empty());
  CHECK(rules("# nothing\n\n   \t\r\n  # indented").rules().empty());
}

TEST_CASE("each action is read") {
  CHECK(rule("a.test dane=off reason=x").override_.dane == DaneOverride::off);
  CHECK(rule("a.test dane=only reason=x").override_.dane == DaneOverride::only);
  CHECK(rule("a.test sts=off reason=x").override_.sts_off);
  CHECK(rule("a.test observe reason=x").override_.observe);
  const OverrideRule fixed = rule(
      "a.test\tpostfix=\"secure match=mx.a.test servername=hostname\" "
      "exim='level=secure ignore=\"!^mx[.]a[.]test$ : *\"' reason=\"contract 7\"  # until renewed");
  CHECK(fixed.override_.postfix_reply == "secure match=mx.a.test servername=hostname");
  CHECK(fixed.override_.exim_reply == "level=secure ignore=\"!^mx[.]a[.]test$ : *\"");
  CHECK(fixed.override_.reason == "contract 7");
  const OverrideRule both = rule("a.test sts='off' dane=\"off\" observe reason=#1\r\n");
  CHECK(both.override_.sts_off);
  CHECK(both.override_.dane == DaneOverride::off);
  CHECK(both.override_.observe);
  CHECK(both.override_.reason == "#1");
}

TEST_CASE("a domain is taken in any case, with a last dot, and as an IDN") {
  CHECK(rule("A.Test. observe reason=x").place() == "a.test");
  CHECK(rule(".A.Test observe reason=x").place() == ".a.test");
  CHECK(rule("b\xc3\xbc"
             "cher.test observe reason=x")
            .place() == "xn--bcher-kva.test");
  CHECK(rule(".b\xc3\xbc"
             "cher.test observe reason=f\xc3\xbcr")
            .override_.reason == "f\xc3\xbcr");
}

TEST_CASE("a day covers itself in UTC, a moment covers what is before it") {
  const auto until = [](std::string_view text) {
    return rule(fmt::format("a.test observe until={} reason=x", text)).until.value();
  };
  CHECK(until("2026-11-24") == sys_days{year{2026} / 11 / 25});
  CHECK(until("2027-12-31") == sys_days{year{2028} / 1 / 1});
  CHECK(until("2028-02-29") == sys_days{year{2028} / 3 / 1});
  CHECK(until("2026-11-24T06:30Z") == sys_days{year{2026} / 11 / 24} + 6h + 30min);
  CHECK(until("2026-11-24T23:59:59Z") == sys_days{year{2026} / 11 / 25} - 1s);
  CHECK_FALSE(rule("a.test observe reason=x").until);
}

TEST_CASE("a rule is written as it is read") {
  for (const char* text : {
           "a.test dane=off reason=\"x\"",
           ".a.test dane=only sts=off observe until=2027-03-31 reason=\"a 'b' c\"",
           "a.test observe until=2027-03-31T12:00:01Z reason='say \"why\"'",
           "a.test postfix=\"secure match=mx.a.test:.b.test ciphers=high\" "
           "exim='level=may mode=testing match=\"^mx[.]a[.]test$\"' reason=\"x\"",
       }) {
    CHECK(text_of(rule(text)) == text);
  }
}

TEST_CASE("each error names its line, the word and the remedy") {
  struct Row {
    const char* line;
    const char* error;
  };
  for (const Row& row : std::initializer_list<Row>{
           {"dane=off reason=x", "\"dane=off\": a line begins with a domain"},
           {"[a.test] dane=off reason=x", "\"[a.test]\": write the name alone"},
           {"a.test:25 dane=off reason=x", "\"a.test:25\": write the name without a port"},
           {"192.0.2.1 dane=off reason=x", "\"192.0.2.1\": an address cannot be overridden"},
           {"2001:db8::1 dane=off reason=x", "an address cannot be overridden"},
           {"*.a.test dane=off reason=x", "write \".a.test\" for all names below it"},
           {". dane=off reason=x", "for all domains use policy.mode"},
           {"a..test dane=off reason=x", "write a domain or \".domain\""},
           {"a.test", "has no reason; add reason="},
           {"a.test dane=off", "\"a.test\" has no reason; add reason=\"TEXT\""},
           {"a.test reason=x", "\"a.test\" overrides nothing; there are postfix="},
           {"a.test until=2027-01-01 reason=x", "\"a.test\" overrides nothing"},
           {"a.test dane=off reason=\"\"", "reason is empty; say why"},
           {"a.test dane=off reason=\"  \"", "reason is empty; say why"},
           {"a.test dane=off reason", "reason is empty; say why"},
           {"a.test dane=maybe reason=x", "\"dane=maybe\": write dane=off or dane=only"},
           {"a.test dane reason=x", "\"dane\": write dane=off or dane=only"},
           {"a.test sts=on reason=x", "\"sts=on\": write sts=off"},
           {"a.test observe=yes reason=x", "observe takes no value; write observe"},
           {"a.test level=may reason=x", "\"level=may\" is unknown; there are postfix="},
           {"a.test Dane=off reason=x", "\"Dane=off\" is unknown"},
           {"a.test dane=off because it fails reason=x", "\"because\" is unknown"},
           {"a.test dane=off dane=only reason=x", "\"dane=only\" contradicts \"dane=off\"; keep"},
           {"a.test observe observe reason=x", "\"observe\" is given twice; keep one"},
           {"a.test observe reason=x reason=y", "\"reason=y\" contradicts \"reason=x\""},
           {"a.test postfix=may dane=off reason=x", "\"dane\" contradicts a fixed answer"},
           {"a.test postfix=may sts=off reason=x", "\"sts\" contradicts a fixed answer"},
           {"a.test exim=level=may observe reason=x", "\"observe\" contradicts a fixed answer"},
           {"a.test observe until=tomorrow reason=x",
            "\"until=tomorrow\" is no date; write until="},
           {"a.test observe until=2027-02-29 reason=x", "\"until=2027-02-29\" is no date"},
           {"a.test observe until=2027-13-01 reason=x", "is no date"},
           {"a.test observe until=27-01-01 reason=x", "is no date"},
           {"a.test observe until=2027-01-01T00:00 reason=x", "is no date"},
           {"a.test observe until=2027-01-01T24:00Z reason=x", "is no date"},
           {"a.test observe until=2027-01-01T00:60Z reason=x", "is no date"},
           {"a.test observe until=2027-01-01T00:00:60Z reason=x", "is no date"},
           {"a.test observe until=2027-01-01T00:00Zz reason=x", "is no date"},
           {"a.test observe until=1969-12-31 reason=x", "is no date"},
           {"a.test dane=off reason=\"x", "\"reason=\"x\": the quote is not closed"},
           {"a.test postfix=\"may\"reason=x", "put a blank behind the quote"},
           {"a.test postfix=\"nonsense\" reason=x", "postfix: \"nonsense\" is no level"},
           {"a.test postfix reason=x", "postfix: no level"},
           {"a.test exim=\"may\" reason=x", "exim: \"may\" is no key=value"},
           {"a.test dane=off reason=\"a\x07\"", "octet 26 is a control character; remove it"},
           {"a.test dane=off reason=\xff", "octet 24 is no UTF-8; save the file as UTF-8"},
       }) {
    const std::string text = errors(std::string("# two\n\n") + row.line + "\n");
    CAPTURE(text);
    CHECK(text.starts_with("3: "));
    CHECK(contains(text, row.error));
  }
}

TEST_CASE("all errors of a file are reported, by line") {
  CHECK(
      errors("[a] dane=x until=y\nb.test observe reason=x\nb.test observe reason=y\nc.test\n") ==
      "1: \"[a]\": write the name alone; a rule is for \"[name]\" and every port too\n"
      "1: \"dane=x\": write dane=off or dane=only\n"
      "1: \"until=y\" is no date; write until=YYYY-MM-DD (the end of that day, UTC) or "
      "until=YYYY-MM-DDTHH:MMZ\n"
      "1: \"[a]\" has no reason; add reason=\"TEXT\" and say why this override exists\n"
      "3: \"b.test\" has a rule in line 2 already; keep one\n"
      "4: \"c.test\" has no reason; add reason=\"TEXT\" and say why this override exists\n"
      "4: \"c.test\" overrides nothing; there are postfix=\"TEXT\", exim=\"TEXT\", dane=off|only, "
      "sts=off, observe, until=DATE, reason=\"TEXT\"\n");
}

TEST_CASE("a domain is the same in every spelling, and another than its subtree") {
  CHECK(contains(errors("a.test observe reason=x\nA.TEST. dane=off reason=y\n"),
                 "2: \"a.test\" has a rule in line 1 already"));
  CHECK(contains(errors(".b\xc3\xbc"
                        "cher.test observe reason=x\n"
                        ".xn--bcher-kva.test observe reason=y\n"),
                 "2: \".xn--bcher-kva.test\" has a rule in line 1 already"));
  CHECK(rules("a.test observe reason=x\n.a.test dane=off reason=y\n").rules().size() == 2);
}

TEST_CASE("errors are counted beyond the number that is reported") {
  const auto bad = [](std::size_t lines) {
    std::string text;
    for (std::size_t i = 0; i < lines; ++i) text += "a..test observe reason=x\n";
    return parse_overrides(text).error();
  };
  CHECK(bad(kMaxOverrideProblems).size() == kMaxOverrideProblems);
  CHECK(bad(kMaxOverrideProblems).back().line == static_cast<int>(kMaxOverrideProblems));
  const OverrideProblems more = bad(kMaxOverrideProblems + 2);
  REQUIRE(more.size() == kMaxOverrideProblems + 1);
  CHECK(more.back().line == 0);
  CHECK(more.back().text == "2 more errors");
}

TEST_CASE("a line and a reason have their limits") {
  const auto line = [](std::size_t octets) {
    std::string text = "a.test observe reason=x #";
    return text + std::string(octets - text.size(), '.');
  };
  CHECK(rules(line(kMaxOverrideLine)).rules().size() == 1);
  CHECK(contains(errors(line(kMaxOverrideLine + 1)), "1: the line has 8193 octets; at most 8192"));
  const auto reason = [](std::size_t octets) {
    return "a.test observe reason=\"" + std::string(octets, 'x') + "\"";
  };
  CHECK(rules(reason(kMaxOverrideReason)).rules().size() == 1);
  CHECK(contains(errors(reason(kMaxOverrideReason + 1)), "reason has 201 octets; write at most"));
}

TEST_CASE("a hundred thousand rules are read and found, one more is not") {
  std::string text;
  for (std::size_t i = 0; i < kMaxOverrides; ++i) {
    text += fmt::format("d{}.test observe reason=r{}\n", i, i);
  }
  const Overrides overrides = rules(text);
  CHECK(overrides.rules().size() == kMaxOverrides);
  CHECK(found(overrides, "d0.test") == "r0");
  CHECK(found(overrides, "d99999.test") == "r99999");
  CHECK(found(overrides, "d100000.test").empty());
  CHECK(contains(errors(text + "more.test observe reason=x\nbad\n"),
                 "100001: more than 100000 rules; use \".domain\""));
}

TEST_CASE("the name itself goes before its subtrees, and the longest subtree before the others") {
  const Overrides overrides = rules(
      "b.a.test  observe reason=exact\n"
      ".b.a.test observe reason=long\n"
      ".a.test   observe reason=short\n"
      ".test     observe reason=top\n");
  CHECK(found(overrides, "b.a.test") == "exact");
  CHECK(found(overrides, "c.b.a.test") == "long");
  CHECK(found(overrides, "d.c.b.a.test") == "long");
  CHECK(found(overrides, "c.a.test") == "short");
  CHECK(found(overrides, "a.test") == "top");
  CHECK(found(overrides, "xa.test") == "top");
  CHECK(found(overrides, "test").empty());
  CHECK(found(overrides, "a.example").empty());
  CHECK(found(Overrides(), "a.test").empty());
}

TEST_CASE("a rule whose time is over is passed over, and named") {
  const Overrides overrides = rules(
      "a.test observe until=2026-11-24T06:00Z reason=morning\n"
      ".test  observe until=2026-11-24 reason=day\n"
      "b.test observe reason=always\n");
  CHECK(found(overrides, "a.test", kNow + 6h - 1s) == "morning");
  CHECK(found(overrides, "a.test", kNow + 6h) == "day");
  CHECK(found(overrides, "a.test", kNow + 24h - 1s) == "day");
  CHECK(found(overrides, "a.test", kNow + 24h).empty());
  CHECK(found(overrides, "b.test", kNow + std::chrono::days{10'000}) == "always");
  CHECK(overrides.expired(kNow).empty());
  REQUIRE(overrides.expired(kNow + 6h).size() == 1);
  CHECK(overrides.expired(kNow + 6h)[0]->line == 1);
  CHECK(overrides.expired(kNow + 24h).size() == 2);
  CHECK(overrides.expired(kNow + 24h)[1]->place() == ".test");
}

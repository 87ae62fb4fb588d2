// SPDX-License-Identifier: Apache-2.0
#include "policy/sts_policy.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

using namespace sealane;
using Codes = std::vector<std::string>;
using std::chrono::seconds;

namespace {

/// A valid policy with something more at its end.
std::string with(std::string_view more) {
  return "version: STSv1\nmode: enforce\nmx: mx.example.net\nmax_age: 604800\n" + std::string(more);
}

Codes codes_of(std::string_view body) {
  std::vector<LintFinding> findings;
  (void)parse_sts_policy(body, &findings);
  Codes codes;
  for (const LintFinding& finding : findings) codes.push_back(finding.code);
  return codes;
}

bool valid(std::string_view body) { return parse_sts_policy(body).has_value(); }

std::string pattern(std::string_view text) {
  const auto parsed = MxPattern::parse(text);
  return parsed ? parsed->text() : "refused";
}

bool matches(std::string_view text, std::string_view host) {
  return MxPattern::parse(text)->matches(*Domain::parse(host));
}

Codes patterns(const StsPolicy& policy) {
  Codes texts;
  for (const MxPattern& one : policy.mx) texts.push_back(one.text());
  return texts;
}

}  // namespace

TEST_CASE("a plain policy is read without a remark, with LF, CRLF or both") {
  std::string crlf;
  for (char c : with("mx: *.Example.ORG\n")) crlf += c == '\n' ? "\r\n" : std::string(1, c);
  for (const std::string& body :
       {with("mx: *.Example.ORG\n"), crlf, with("mx: *.Example.ORG\r\n")}) {
    std::vector<LintFinding> findings;
    const auto policy = parse_sts_policy(body, &findings);
    REQUIRE(policy.has_value());
    CHECK(findings.empty());
    CHECK(policy->mode == StsMode::enforce);
    CHECK(policy->max_age == seconds{604800});
    CHECK(patterns(*policy) == Codes{"mx.example.net", "*.example.org"});
    CHECK(policy->lines == Codes{"version: STSv1", "mode: enforce", "mx: mx.example.net",
                                 "max_age: 604800", "mx: *.Example.ORG"});
  }
}

TEST_CASE("fields come in any order and blanks around a value do not count") {
  const auto policy =
      parse_sts_policy("max_age:1209600 \t\nmx:\t a.example\nmode:   testing\nversion:STSv1");
  REQUIRE(policy.has_value());
  CHECK(policy->mode == StsMode::testing);
  CHECK(policy->max_age == seconds{1209600});
}

TEST_CASE("each required field is missed by name") {
  CHECK(codes_of("mode: none\nmax_age: 86400\n") == Codes{"missing-version"});
  CHECK(codes_of("version: STSv1\nmax_age: 86400\n") == Codes{"missing-mode"});
  CHECK(codes_of("version: STSv1\nmode: none\n") == Codes{"missing-max-age"});
  CHECK(codes_of("version: STSv1\nmode: testing\nmax_age: 86400\n") == Codes{"missing-mx"});
  CHECK_FALSE(valid(""));
  CHECK_FALSE(valid("\n"));
}

TEST_CASE("mode none needs no mx, and one that is there must be well formed all the same") {
  CHECK(codes_of("version: STSv1\nmode: none\nmax_age: 86400\n").empty());
  CHECK(codes_of("version: STSv1\nmode: none\nmax_age: 86400\nmx: a.example\n") ==
        Codes{"mode-none-with-mx"});
  CHECK_FALSE(valid("version: STSv1\nmode: none\nmax_age: 86400\nmx: a b\n"));
}

TEST_CASE("names of fields and their known values are case-sensitive") {
  CHECK_FALSE(valid("Version: STSv1\nmode: none\nmax_age: 86400\n"));
  CHECK_FALSE(valid("version: stsv1\nmode: none\nmax_age: 86400\n"));
  CHECK_FALSE(valid("version: STSv1\nmode: None\nmax_age: 86400\n"));
  CHECK(codes_of(with("Mode: x\n")) == Codes{"unknown-field"});
}

TEST_CASE("an unknown mode or version is an error that shows the value") {
  std::vector<LintFinding> findings;
  CHECK_FALSE(parse_sts_policy("version: STSv2\nmode: live\nmax_age: 86400\n", &findings));
  REQUIRE(findings.size() == 2);
  CHECK(findings[0].code == "bad-version");
  CHECK(findings[1].code == "bad-mode");
  CHECK(findings[1].line == 2);
  CHECK(findings[1].column == 7);
  CHECK(findings[1].text.find("\"live\"") != std::string::npos);
}

TEST_CASE("max_age is 1 to 10 digits and is cut to a year") {
  const auto age = [](std::string_view value) {
    const auto policy =
        parse_sts_policy("version: STSv1\nmode: none\nmax_age: " + std::string(value) + "\n");
    return policy ? policy->max_age.count() : -1;
  };
  CHECK(age("0") == 0);
  CHECK(age("31557600") == 31557600);
  CHECK(age("31557601") == 31557600);
  CHECK(age("9999999999") == 31557600);
  CHECK(age("0000000060") == 60);
  for (const char* bad : {"", "10000000000", "00000000060", "-1", "+1", "1.0", "0x10", "1 2", "1s",
                          "99999999999999999999999"}) {
    CHECK_MESSAGE(age(bad) == -1, bad);
  }
}

TEST_CASE("a max_age below a day or above a year is remarked on") {
  const auto codes = [](std::string_view value) {
    return codes_of("version: STSv1\nmode: none\nmax_age: " + std::string(value) + "\n");
  };
  CHECK(codes("86400").empty());
  CHECK(codes("86399") == Codes{"short-max-age"});
  CHECK(codes("31557600").empty());
  CHECK(codes("31557601") == Codes{"clamped-max-age"});
}

TEST_CASE("of a repeated field the first counts, and the others may be malformed") {
  const auto policy = parse_sts_policy(with("max_age: 1\nmode: bogus\nversion:\nmax_age: x\ty\n"));
  REQUIRE(policy.has_value());
  CHECK(policy->max_age == seconds{604800});
  CHECK(policy->mode == StsMode::enforce);
  CHECK(codes_of(with("mode: none\n")) == Codes{"duplicate-field"});
  CHECK_FALSE(valid("version: STSv1\nmode: bogus\nmode: none\nmax_age: 86400\n"));
}

TEST_CASE("equal mx fields are kept once, in the order of the file") {
  const auto policy = parse_sts_policy(with("mx: b.example\nmx: MX.example.NET\nmx: b.example\n"));
  REQUIRE(policy.has_value());
  CHECK(patterns(*policy) == Codes{"mx.example.net", "b.example"});
}

TEST_CASE("one malformed mx makes the whole policy invalid") {
  for (const char* mx : {"",
                         "://google.com",
                         "Priority 1: smtp.google.com",
                         "a.example, b.example",
                         "a.example b",
                         "*",
                         "*.",
                         "*.*.example",
                         "mail*.example",
                         ".example",
                         "a..example",
                         "a.example..",
                         "a.example } { policy_failure = x",
                         "-a.example",
                         "a-.example",
                         "b\xc3\xbc.example",
                         "a.example:25",
                         "[192.0.2.1]",
                         "a,b",
                         "2001:db8::1",
                         "_.example",
                         "_-a.example",
                         "mx_1.example",
                         "__a.example"}) {
    CHECK_MESSAGE(codes_of(with("mx: " + std::string(mx) + "\n")) == Codes{"bad-mx"}, mx);
  }
}

TEST_CASE("blank lines are let pass with a warning, wherever they are") {
  CHECK(codes_of("\n" + with("")) == Codes{"blank-line"});
  CHECK(codes_of(with("\r\n \t\n")) == Codes{"blank-line", "blank-line"});
  CHECK(valid("\r\n" + with("\r\n")));
  CHECK(parse_sts_policy("\n" + with("\n"))->lines.size() == 4);
}

TEST_CASE("a file that is indented evenly is let pass with warnings") {
  const std::string body = "  version: STSv1\n  mode: none\n\n  max_age: 86400\n";
  CHECK(codes_of(body) == Codes{"indented-line", "indented-line", "blank-line", "indented-line"});
  CHECK(valid(body));
}

TEST_CASE("a line that is indented by itself is an error") {
  CHECK_FALSE(valid(" version: STSv1\nmode: none\nmax_age: 86400\n"));
  CHECK_FALSE(valid("version: STSv1\n mode: none\nmax_age: 86400\n"));
  CHECK_FALSE(valid("  version: STSv1\n  mode: none\n\tmax_age: 86400\n"));
  CHECK(codes_of(with(" mx: a.example\n")) == Codes{"uneven-indent"});
}

TEST_CASE("a dot at the end and an underscore in front are let pass with a warning") {
  CHECK(codes_of(with("mx: a.example.\n")) == Codes{"trailing-dot"});
  CHECK(codes_of(with("mx: _dc-mx.0a1b.example\n")) == Codes{"underscore"});
  CHECK(patterns(*parse_sts_policy(with("mx: *.Example.\n")))[1] == "*.example");
}

TEST_CASE("an mx that cannot mean what it says is remarked on") {
  CHECK(codes_of(with("mx: *.com\n")) == Codes{"broad-wildcard"});
  CHECK(codes_of(with("mx: hostname\n")) == Codes{"single-label"});
  CHECK(codes_of(with("mx: nexthop\n")) == Codes{"single-label"});
  CHECK(codes_of(with("mx: 192.0.2.1\n")) == Codes{"address"});
}

TEST_CASE("an unknown field is skipped if it is well formed and fatal if it is not") {
  CHECK(codes_of(with("foo: a:b c\nf.o-o_1: caf\xc3\xa9 \xf0\x9f\x94\x92\n")) ==
        Codes{"unknown-field", "unknown-field"});
  CHECK(valid(with(std::string(32, 'k') + ": v\n")));
  CHECK_FALSE(valid(with(std::string(33, 'k') + ": v\n")));
  CHECK(codes_of(with("foo:\n")) == Codes{"empty-value"});
  CHECK(codes_of(with("foo: a\tb\n")) == Codes{"bad-value"});
  CHECK(codes_of(with("foo : a\n")) == Codes{"blank-before-colon"});
  CHECK(codes_of(with("_foo: a\n")) == Codes{"bad-field"});
  CHECK(codes_of(with(": a\n")) == Codes{"bad-field"});
  CHECK(codes_of(with("foo\n")) == Codes{"no-colon"});
}

TEST_CASE("text that is no UTF-8 is refused, overlong forms and surrogates too") {
  for (const char* bad :
       {"\xff", "\xc3", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf0\x80\x80\xaf",
        "\xf4\x90\x80\x80", "\xe2\x82", "\x80", "\xf5\x80\x80\x80"}) {
    CHECK(codes_of(with("foo: " + std::string(bad) + "\n")) == Codes{"not-utf8"});
  }
  for (const char* good : {"\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
                           "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    CHECK(valid(with("foo: " + std::string(good) + "\n")));
  }
}

TEST_CASE("control characters are refused anywhere, in ignored fields too") {
  for (int octet = 0; octet < 0x20; ++octet) {
    if (octet == '\n' || octet == '\t') continue;
    const std::string c(1, static_cast<char>(octet));
    CHECK_MESSAGE(!valid(with("foo: a" + c + "b\n")), octet);
    CHECK_MESSAGE(!valid(with("mode: a" + c + "b\n")), octet);
    CHECK_MESSAGE(!valid(with("mx: a" + c + ".example\n")), octet);
  }
  CHECK_FALSE(valid(with("foo: a\x7f\n")));
}

TEST_CASE("a CR is half a line end only directly before LF") {
  CHECK(codes_of(with("mx: a.example\r")) == Codes{"bare-cr", "no-final-newline"});
  CHECK(codes_of(with("mx: a.example\r\r\n")) == Codes{"bare-cr"});
  CHECK_FALSE(valid("version: STSv1\rmode: none\rmax_age: 86400\r"));
}

TEST_CASE("a byte order mark is refused by name") {
  CHECK(codes_of("\xef\xbb\xbf" + with(""))[0] == "bom");
}

TEST_CASE("a missing last line end is worth a note") {
  CHECK(codes_of(with("mx: a.example")) == Codes{"no-final-newline"});
  CHECK(valid(with("mx: a.example")));
}

TEST_CASE("a policy of 64 KiB is read and one of an octet more is not") {
  std::string body = with("foo: ");
  body += std::string(kMaxPolicyBody - body.size() - 1, 'a') + "\n";
  REQUIRE(body.size() == 65536);
  CHECK(valid(body));
  CHECK(codes_of(body + "\n") == Codes{"too-large"});
}

TEST_CASE("the remarks about garbage are bounded and its text is escaped") {
  std::vector<LintFinding> findings;
  std::string garbage = "\x1b[31m";
  for (int i = 0; i < 10000; ++i) garbage += "\n{\xc3\xa9";
  const auto policy = parse_sts_policy(garbage, &findings);
  REQUIRE_FALSE(policy.has_value());
  CHECK(policy.error().starts_with("line 1: "));
  CHECK(findings.size() < 210);
  for (const LintFinding& finding : findings) {
    CHECK(std::all_of(finding.text.begin(), finding.text.end(),
                      [](char c) { return c >= ' ' && c <= '~'; }));
  }
}

TEST_CASE("an error is reported even behind a flood of warnings") {
  std::vector<LintFinding> findings;
  CHECK_FALSE(parse_sts_policy(std::string(1000, '\n') + with("mode\n"), &findings).has_value());
  CHECK(std::any_of(findings.begin(), findings.end(),
                    [](const LintFinding& finding) { return finding.code == "no-colon"; }));
}

TEST_CASE("the first error is the one that is told, with its line") {
  const auto policy = parse_sts_policy("version: STSv1\nmode: live\nfoo\n");
  REQUIRE_FALSE(policy.has_value());
  CHECK(policy.error().starts_with("line 2: The mode is \"live\""));
  CHECK(parse_sts_policy("version: STSv1\nmode: none\n").error().starts_with("The field"));
}

TEST_CASE("a pattern is a host name or one with a wildcard as its first label") {
  CHECK(pattern("MX.Example.net.") == "mx.example.net");
  CHECK(pattern("*.Example.net") == "*.example.net");
  CHECK(pattern("localhost") == "localhost");
  CHECK(pattern("*.net") == "*.net");
  for (const char* text :
       {"*", "*.", "**.net", "*a.net", "a.*.net", "*.*.net", " a.net", "a.net "}) {
    CHECK_MESSAGE(pattern(text) == "refused", text);
  }
}

TEST_CASE("a pattern has at most 253 octets with its wildcard") {
  const std::string labels =
      std::string(63, 'a') + "." + std::string(63, 'a') + "." + std::string(63, 'a') + ".";
  CHECK(pattern(labels + std::string(61, 'b')) != "refused");
  CHECK(pattern(labels + std::string(62, 'b')) == "refused");
  CHECK(pattern("*." + labels + std::string(59, 'b')) != "refused");
  CHECK(pattern("*." + labels + std::string(60, 'b')) == "refused");
}

TEST_CASE("only letters, digits, hyphens and underscores ever get into a pattern") {
  for (int octet = 0; octet < 256; ++octet) {
    const char c = static_cast<char>(octet);
    const std::string text = pattern(std::string("a") + c + "b.example");
    if (text == "refused") continue;
    CHECK(text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-.") == std::string::npos);
  }
}

TEST_CASE("a wildcard stands for exactly one label") {
  CHECK(matches("*.example.net", "mx.example.net"));
  CHECK(matches("*.example.net", "_mx.example.net"));
  CHECK_FALSE(matches("*.example.net", "example.net"));
  CHECK_FALSE(matches("*.example.net", "a.b.example.net"));
  CHECK_FALSE(matches("*.example.net", "mxexample.net"));
  CHECK(matches("*.net", "example.net"));
  CHECK_FALSE(matches("*.net", "net"));
}

TEST_CASE("a name matches itself only, in any case") {
  CHECK(matches("mx.example.net", "MX.EXAMPLE.NET."));
  CHECK_FALSE(matches("mx.example.net", "a.mx.example.net"));
  CHECK_FALSE(matches("mx.example.net", "example.net"));
}

TEST_CASE("a policy allows a host that one of its patterns matches") {
  const auto policy = parse_sts_policy(with("mx: *.example.org\n"));
  REQUIRE(policy.has_value());
  CHECK(policy->allows(*Domain::parse("mx.example.net")));
  CHECK(policy->allows(*Domain::parse("b.example.org")));
  CHECK_FALSE(policy->allows(*Domain::parse("mx2.example.net")));
}

// SPDX-License-Identifier: Apache-2.0
#include "policy/sts_record.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

using namespace sealane;
using Kind = StsRecordSet::Kind;

namespace {

/// The id, or "invalid".
std::string id_of(std::string_view text) {
  const auto record = parse_sts_record(text, nullptr);
  return record ? record->id : "invalid";
}

std::vector<std::string> codes_of(std::string_view text) {
  std::vector<LintFinding> findings;
  (void)parse_sts_record(text, &findings);
  std::vector<std::string> codes;
  for (const LintFinding& finding : findings) codes.push_back(finding.code);
  return codes;
}

Kind kind_of(const std::vector<std::string>& records) { return read_sts_records(records).kind; }

}  // namespace

TEST_CASE("a record is the version and an id, with blanks only around the delimiters") {
  CHECK(id_of("v=STSv1;id=a") == "a");
  CHECK(id_of("v=STSv1; id=20260101T000000;") == "20260101T000000");
  CHECK(id_of("v=STSv1 \t;\t id=1 ; ") == "1");
  CHECK(id_of(" v=STSv1; id=1") == "invalid");
  CHECK(id_of("v=STSv1; id =1") == "invalid");
  CHECK(id_of("v=STSv1; id= 1") == "invalid");
  CHECK(id_of("v=STSv1; id=1 ") == "invalid");
  CHECK(id_of("v=STSv1; id=1\n") == "invalid");
}

TEST_CASE("the version comes first, in its exact case, and ends with a delimiter") {
  for (const char* text : {"", "v", "v=STSv1", "v=stsv1; id=1", "V=STSv1; id=1", "v=STSv10; id=1",
                           "id=1; v=STSv1;", "\"v=STSv1; id=1\"", "v=STSv1, id=1"}) {
    CHECK_MESSAGE(codes_of(text) == std::vector<std::string>{"bad-version"}, text);
  }
}

TEST_CASE("an id is 1 to 32 letters and digits") {
  CHECK(id_of("v=STSv1; id=" + std::string(32, 'Z')) == std::string(32, 'Z'));
  CHECK(codes_of("v=STSv1; id=" + std::string(33, 'Z')) == std::vector<std::string>{"bad-id"});
  for (const char* id : {"", "2026-01-01", "a.b", "a_b", "\xc3\xbc", "a=b"}) {
    CHECK_MESSAGE(id_of(std::string("v=STSv1; id=") + id) == "invalid", id);
  }
}

TEST_CASE("a record without an id says so, also when the id is written in upper case") {
  for (const char* text : {"v=STSv1;", "v=STSv1; ", "v=STSv1; ID=1", "v=STSv1; foo=bar"}) {
    const auto codes = codes_of(text);
    CHECK_MESSAGE(std::count(codes.begin(), codes.end(), "missing-id") == 1, text);
  }
}

TEST_CASE("of two ids the first counts, even if it is the wrong one") {
  CHECK(id_of("v=STSv1; id=1; id=2") == "1");
  CHECK(codes_of("v=STSv1; id=1; id=2") == std::vector<std::string>{"duplicate-field"});
  CHECK(id_of("v=STSv1; id=--; id=2") == "invalid");
}

TEST_CASE("an unknown field is ignored if it is well formed and fatal if it is not") {
  CHECK(id_of("v=STSv1; a=b; id=1; C.d-e_f=:/{}~") == "1");
  CHECK(id_of("v=STSv1; " + std::string(32, 'n') + "=x; id=1") == "1");
  CHECK(id_of("v=STSv1; " + std::string(33, 'n') + "=x; id=1") == "invalid");
  for (const char* field :
       {"a", "a=", "=b", "_a=b", "a b=c", "a=b c", "a=b=c", "a=\x7f", "a=\xc3", "a=b,\tc", ""}) {
    CHECK_MESSAGE(id_of("v=STSv1; id=1; " + std::string(field) + "; z=1") == "invalid", field);
  }
}

TEST_CASE("a finding tells the octet at which the field begins") {
  std::vector<LintFinding> findings;
  CHECK_FALSE(parse_sts_record("v=STSv1; id=1;  foo", &findings).has_value());
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].line == 1);
  CHECK(findings[0].column == 17);
  CHECK(findings[0].severity == LintFinding::Severity::error);
  CHECK(findings[0].code == "no-value");
}

TEST_CASE("what a record says is shown escaped and its remarks are bounded") {
  std::string text = "v=STSv1; id=\x1b[31m";
  for (int i = 0; i < 1000; ++i) text += ";\x1b";
  std::vector<LintFinding> findings;
  const auto record = parse_sts_record(text, &findings);
  REQUIRE_FALSE(record.has_value());
  CHECK(record.error().find('\x1b') == std::string::npos);
  CHECK(findings.size() <= 102);
  for (const LintFinding& finding : findings) {
    CHECK(finding.text.find('\x1b') == std::string::npos);
  }
}

TEST_CASE("records that do not begin like ours are not counted") {
  const auto set = read_sts_records({"v=spf1 -all", "v=STSv1; id=1", "v=STSv10; id=2", ""});
  CHECK(set.kind == Kind::one);
  CHECK(set.record.id == "1");
  CHECK(kind_of({}) == Kind::none);
  CHECK(kind_of({"v=spf1 -all", "v=STSv1", "v=STSv10; id=1"}) == Kind::none);
}

TEST_CASE("two records that begin like ours are several, valid or not") {
  CHECK(kind_of({"v=STSv1; id=1", "v=STSv1; id=2"}) == Kind::several);
  CHECK(kind_of({"v=STSv1; id=1", "v=STSv1; id=1"}) == Kind::several);
  CHECK(kind_of({"v=STSv1; id=1", "v=STSv1; garbage"}) == Kind::several);
  CHECK(kind_of({"v=STSv1; id=1", "v=STSv1 ; id=2"}) == Kind::several);
}

TEST_CASE("a single broken record is invalid and its problem is fit for a log") {
  const auto set = read_sts_records({"v=STSv1; id=\x1b[0m"});
  CHECK(set.kind == Kind::invalid);
  CHECK(set.problem.find("\\x1b") != std::string::npos);
  CHECK(set.problem.find('\x1b') == std::string::npos);
}

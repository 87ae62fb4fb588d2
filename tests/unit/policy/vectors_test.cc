// SPDX-License-Identifier: Apache-2.0
// Runs the rows of the RFC vectors that a parser can judge; the column "recommended" is the law.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "policy/sts_policy.h"
#include "policy/sts_record.h"
#include "policy/tlsa.h"
#include "test_data.h"

using namespace sealane;

namespace {

struct Row {
  std::string id, kind, input, strict, recommended, parsed;
};

std::vector<Row> rows_of(std::string_view kind) {
  std::vector<Row> rows;
  for (const auto& cells : read_table(test_data("SEALANE_VECTORS", "vectors/rfc-vectors.tsv"))) {
    REQUIRE(cells.size() >= 6);
    if (cells[1] != kind) continue;
    rows.push_back({cells[0], cells[1], cells[2], cells[3], cells[4], cells[5]});
  }
  return rows;
}

/// Fails unless at least `least` rows of the kind were run: a short file must not pass for a test.
void report(std::string_view kind, std::size_t run, std::size_t least) {
  MESSAGE(std::string(kind) << ": " << run << " rows run");
  CHECK(run >= least);
}

/// \r \n \t \\ \xNN, and \R{a,N} for N times the letter a.
std::string unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      out += text[i];
      continue;
    }
    const char what = text.at(++i);
    if (what == 'x') {
      out += static_cast<char>(from_hex(text.substr(i + 1, 2)).value().front());
      i += 2;
    } else if (what == 'R') {
      const auto end = text.find('}', i);
      const auto times = parse_decimal(text.substr(i + 4, end - i - 4), kMaxPolicyBody * 2);
      out += std::string(times.value(), text.at(i + 2));
      i = end;
    } else {
      out += what == 'r' ? '\r' : what == 'n' ? '\n' : what == 't' ? '\t' : what;
    }
  }
  return out;
}

std::vector<std::string> split_at(std::string text, const std::string& separator) {
  std::vector<std::string> pieces;
  for (auto at = text.find(separator); at != std::string::npos; at = text.find(separator)) {
    pieces.push_back(text.substr(0, at));
    text.erase(0, at + separator.size());
  }
  pieces.push_back(text);
  return pieces;
}

std::vector<std::string> txt_records(const std::string& input) {
  std::vector<std::string> records;
  for (const std::string& quoted : split_at(input, " || ")) {
    REQUIRE(quoted.size() >= 2);
    std::string joined;
    for (const auto& part : split_at(quoted.substr(1, quoted.size() - 2), "\" + \""))
      joined += part;
    records.push_back(unescape(joined));
  }
  return records;
}

std::string summary(const StsPolicy& policy) {
  std::string text = "mode=" + std::string(name_of(policy.mode)) +
                     " max_age=" + std::to_string(policy.max_age.count()) + " mx=";
  for (const MxPattern& pattern : policy.mx) text += pattern.text() + ",";
  if (!policy.mx.empty()) text.pop_back();
  return text;
}

TlsaRecord tlsa_of(const std::string& input) {
  const auto empty = input.find("(empty)");
  auto record = parse_tlsa_text(empty == std::string::npos ? input : input.substr(0, empty) + "00");
  REQUIRE_MESSAGE(record.has_value(), input.substr(0, 40));
  if (empty != std::string::npos) record->data.clear();
  return *record;
}

/// A record of an RRset row such as "311(match)", and whether the server has that key.
struct Noted {
  TlsaRecord record;
  bool matches;
};

/// One item of a set: three digits, with or without blanks, and a remark in parentheses.
Noted noted_record(std::string_view item) {
  const auto open = item.find('(');
  REQUIRE(open != std::string_view::npos);
  std::vector<std::uint8_t> numbers;
  for (char c : item.substr(0, open)) {
    if (is_digit(c)) numbers.push_back(static_cast<std::uint8_t>(c - '0'));
  }
  REQUIRE(numbers.size() == 3);
  const std::string remark(item.substr(open + 1, item.find(')') - open - 1));
  std::size_t size = numbers[2] == 2 ? 64 : 32;
  if (remark.ends_with(" octets")) size = std::stoul(remark);
  return {TlsaRecord{numbers[0], numbers[1], numbers[2], std::vector<std::uint8_t>(size, 1)},
          remark == "match" || remark == "good"};
}

/// The records of "secure {311(match),312(nomatch)}"; empty if the row is about something else.
std::vector<Noted> noted_records(std::string_view input) {
  constexpr std::string_view kOpen = "secure {";
  constexpr std::string_view kRemark = "; cert matches both";
  if (input.ends_with(kRemark)) input.remove_suffix(kRemark.size());
  if (!input.starts_with(kOpen) || !input.ends_with('}')) return {};
  input.remove_prefix(kOpen.size());
  input.remove_suffix(1);
  if (input.find('(') == std::string_view::npos) return {};  // about a chain of certificates
  std::vector<Noted> noted;
  for (std::string_view item : split(input, ',')) noted.push_back(noted_record(item));
  return noted;
}

/// What the records that survive mean for a connection.
std::string outcome(const std::vector<Noted>& noted, const std::string& expected) {
  std::vector<TlsaRecord> records;
  for (const Noted& one : noted) records.push_back(one.record);
  const auto judged = judge_tlsa(records);
  if (std::none_of(judged.begin(), judged.end(), [](const auto& one) { return one.usable; })) {
    return "all unusable -> TLS mandatory, no authentication";
  }
  std::string text = "auth FAIL";
  for (std::size_t i = 0; i < judged.size(); ++i) {
    if (!judged[i].usable || !noted[i].matches) continue;
    const TlsaRecord& record = judged[i].record;
    text = fmt::format("auth ok via {}{}{}", record.usage, record.selector, record.matching_type);
    if (text == expected) return text;
  }
  return text;
}

}  // namespace

TEST_CASE("TXT RRsets are read as the vectors say") {
  std::size_t run = 0;
  for (const Row& row : rows_of("txt-rrset")) {
    CAPTURE(row.id);
    const StsRecordSet set = read_sts_records(txt_records(row.input));
    const bool one = set.kind == StsRecordSet::Kind::one;
    CHECK((one ? "accept" : "reject") == row.recommended);
    CHECK((one ? "id=" + set.record.id : "-") == row.parsed);
    CHECK(set.problem.empty() == one);
    ++run;
  }
  report("txt-rrset", run, 39);
}

TEST_CASE("policies are read as the vectors say, with a warning where we are lenient") {
  std::size_t run = 0;
  for (const Row& row : rows_of("policy-body")) {
    CAPTURE(row.id);
    std::vector<LintFinding> findings;
    const auto policy = parse_sts_policy(unescape(row.input), &findings);
    CHECK((policy ? "accept" : "reject") == row.recommended);
    CHECK((policy ? summary(*policy) : "-") == row.parsed);
    const bool lenient = std::any_of(findings.begin(), findings.end(), is_leniency);
    if (policy) CHECK(lenient == (row.strict == "reject"));
    ++run;
  }
  report("policy-body", run, 43);
}

TEST_CASE("MX names match patterns as the vectors say") {
  std::size_t run = 0;
  for (const Row& row : rows_of("mx-match")) {
    CAPTURE(row.id);
    const auto pair = split_at(row.input, "  ~  ");
    REQUIRE(pair.size() == 2);
    const auto host = Domain::parse(pair[0]);
    const auto pattern = MxPattern::parse(pair[1]);
    REQUIRE(pattern.has_value());
    const bool match = host && pattern->matches(*host);
    CHECK((match ? "match" : "no-match") == row.recommended);
    ++run;
  }
  report("mx-match", run, 7);
}

TEST_CASE("TLSA records are judged as the vectors say") {
  std::size_t run = 0;
  for (const Row& row : rows_of("tlsa-rr")) {
    CAPTURE(row.id);
    const auto judged = judge_tlsa({tlsa_of(row.input)});
    CHECK((judged.front().usable ? "usable" : "unusable") == row.recommended);
    CHECK(judged.front().why.empty() == judged.front().usable);
    ++run;
  }
  report("tlsa-rr", run, 28);
}

TEST_CASE("TLSA data off the wire are bounded as the vectors say") {
  constexpr std::string_view kLength = "RDLENGTH ";
  std::size_t run = 0;
  for (const Row& row : rows_of("tlsa-rr-wire")) {
    CAPTURE(row.id);
    REQUIRE(row.input.starts_with(kLength));
    const bool bounded = row.recommended == "bounded";
    std::vector<std::uint8_t> rdata(std::stoul(row.input.substr(kLength.size())), 0x30);
    const std::array<std::uint8_t, 3> fixed{3, 0, 0};
    std::copy_n(fixed.begin(), std::min(fixed.size(), rdata.size()), rdata.begin());
    const auto record = parse_tlsa_rdata(rdata);
    CHECK(record.has_value() == bounded);
    if (record) CHECK(judge_tlsa({*record}).front().why.find("at most") != std::string::npos);
    ++run;
  }
  report("tlsa-rr-wire", run, 3);
}

TEST_CASE("TLSA RRsets are judged as the vectors say, where no connection is needed") {
  std::size_t run = 0;
  for (const Row& row : rows_of("tlsa-rrset")) {
    CAPTURE(row.id);
    if (row.input == "20 records, 3 usable") {
      std::vector<TlsaRecord> records(20, TlsaRecord{0, 1, 1, std::vector<std::uint8_t>(32, 1)});
      for (std::size_t i : {4u, 9u, 19u}) records[i].usage = 3;
      const auto judged = judge_tlsa(records);
      const auto usable = std::count_if(judged.begin(), judged.end(),
                                        [](const JudgedTlsa& one) { return one.usable; });
      CHECK(fmt::format("use {}", usable) == row.recommended);
      ++run;
      continue;
    }
    const auto noted = noted_records(row.input);
    if (noted.empty()) continue;  // about lookups, aliases or a handshake
    CHECK(outcome(noted, row.recommended) == row.recommended);
    ++run;
  }
  report("tlsa-rrset", run, 6);
}

// SPDX-License-Identifier: Apache-2.0
#include "cli/lint.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cerrno>
#include <fstream>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/text.h"
#include "policy/sts_policy.h"
#include "policy/sts_record.h"
#include "policy/tlsa.h"

namespace sealane {
namespace {

namespace json = boost::json;
using Severity = LintFinding::Severity;

/// Octets of association data that are shown of a record: enough to tell records apart.
constexpr std::size_t kShownTlsaData = 8;

constexpr std::string_view kUsage =
    "usage: sealane lint [--json] sts-policy FILE|-\n"
    "       sealane lint [--json] sts-record TEXT\n"
    "       sealane lint [--json] tlsa \"USAGE SELECTOR TYPE HEX\"...\n";

struct LintedTlsa {
  bool usable = false;
  std::string why;
  std::string text;  ///< for a human: which record
};

/// All that is known about one input, before it is put into words.
struct Report {
  std::string source;  ///< what the findings refer to, escaped
  bool valid = false;
  std::string summary;  ///< of a valid input, for a human
  std::vector<LintFinding> findings;
  std::optional<StsPolicy> policy;
  std::optional<std::string> id;
  std::optional<std::vector<LintedTlsa>> records;
};

std::string_view name_of(Severity severity) {
  switch (severity) {
    case Severity::note:
      return "note";
    case Severity::warning:
      return "warning";
    case Severity::error:
      return "error";
  }
  return "?";
}

Report lint_policy(std::string source, std::string_view body) {
  Report report;
  report.source = std::move(source);
  const auto policy = parse_sts_policy(body, &report.findings);
  report.valid = policy.has_value();
  if (!policy) return report;
  report.policy = *policy;
  report.summary = fmt::format("mode {}, max_age {} s, {} mx", name_of(policy->mode),
                               policy->max_age.count(), policy->mx.size());
  return report;
}

Report lint_record(std::string_view text) {
  Report report;
  report.source = "record";
  const auto record = parse_sts_record(text, &report.findings);
  report.valid = record.has_value();
  if (!record) return report;
  report.id = record->id;
  report.summary = fmt::format("id {}", record->id);
  return report;
}

/// What a publisher should know about a record that works.
void advise_on_tlsa(const TlsaRecord& record, int line, std::vector<LintFinding>& findings) {
  if (record.matching_type == 0) {
    findings.push_back({line, 0, Severity::note, "full-data",
                        "Full data makes large DNS answers; a digest does the same."});
  }
  if (record.usage == 3 && record.selector == 0) {
    findings.push_back({line, 0, Severity::note, "certificate-digest",
                        "The record breaks with every new certificate; selector 1 need not."});
  }
}

LintedTlsa describe(const JudgedTlsa& judged, int line, std::vector<LintFinding>& findings) {
  LintedTlsa linted;
  // A weaker digest beside a stronger one is no mistake: clients that lack the stronger use it.
  linted.usable = judged.usable || judged.superseded;
  linted.why = judged.why;
  linted.text =
      fmt::format("{} ({})", to_text(judged.record, kShownTlsaData), acronyms(judged.record));
  if (judged.superseded) {
    findings.push_back({line, 0, Severity::warning, "weaker-digest",
                        fmt::format("The record is not used: {}.", judged.why)});
  } else if (!judged.usable) {
    findings.push_back({line, 0, Severity::error, "unusable",
                        fmt::format("The record is not usable: {}.", judged.why)});
  }
  if (linted.usable) advise_on_tlsa(judged.record, line, findings);
  return linted;
}

Report lint_tlsa(std::span<const std::string> texts) {
  Report report;
  report.source = "record";
  report.records.emplace(texts.size());
  std::vector<TlsaRecord> records;
  std::vector<std::size_t> places;  // of each of `records` among the texts
  for (std::size_t i = 0; i < texts.size(); ++i) {
    auto record = parse_tlsa_text(texts[i]);
    if (record) {
      records.push_back(*std::move(record));
      places.push_back(i);
      continue;
    }
    (*report.records)[i] = {false, record.error(), fmt::format("\"{}\"", escape(texts[i]))};
    report.findings.push_back({static_cast<int>(i) + 1, 0, Severity::error, "unreadable",
                               fmt::format("No TLSA record: {}.", record.error())});
  }
  const auto judged = judge_tlsa(std::move(records));
  for (std::size_t i = 0; i < judged.size(); ++i) {
    const int line = static_cast<int>(places[i]) + 1;
    (*report.records)[places[i]] = describe(judged[i], line, report.findings);
  }
  std::stable_sort(report.findings.begin(), report.findings.end(),
                   [](const LintFinding& a, const LintFinding& b) { return a.line < b.line; });
  report.valid = std::all_of(report.records->begin(), report.records->end(),
                             [](const LintedTlsa& record) { return record.usable; });
  report.summary = fmt::format("{} usable", texts.size());
  return report;
}

std::string to_json(const Report& report) {
  json::object root;
  root["valid"] = report.valid;
  if (report.policy) {
    json::array mx;
    for (const MxPattern& pattern : report.policy->mx) mx.emplace_back(pattern.text());
    root["policy"] = json::object{{"mode", name_of(report.policy->mode)},
                                  {"max_age", report.policy->max_age.count()},
                                  {"mx", std::move(mx)}};
  }
  if (report.id) root["id"] = *report.id;
  if (report.records) {
    json::array records;
    for (const LintedTlsa& record : *report.records) {
      records.emplace_back(json::object{{"usable", record.usable}, {"why", record.why}});
    }
    root["records"] = std::move(records);
  }
  json::array findings;
  for (const LintFinding& finding : report.findings) {
    findings.emplace_back(json::object{{"line", finding.line},
                                       {"severity", name_of(finding.severity)},
                                       {"code", finding.code},
                                       {"text", finding.text}});
  }
  root["findings"] = std::move(findings);
  return ascii_json(json::serialize(root)) + "\n";
}

std::string place_of(const Report& report, const LintFinding& finding) {
  if (finding.line == 0) return report.source + ":";
  return fmt::format("{}:{}:", report.source, finding.line);
}

std::string to_human(const Report& report) {
  std::string out;
  if (report.records) {
    int number = 0;
    for (const LintedTlsa& record : *report.records) {
      out += fmt::format("{}:{}: {:<8} {}\n", report.source, ++number,
                         record.usable ? "usable" : "unusable", record.text);
    }
  }
  std::size_t width = 0;
  for (const auto& finding : report.findings) {
    width = std::max(width, place_of(report, finding).size());
  }
  for (const LintFinding& finding : report.findings) {
    out += fmt::format("{:<{}} {:<8} {} [{}]\n", place_of(report, finding), width,
                       fmt::format("{}:", name_of(finding.severity)), finding.text, finding.code);
  }
  if (!report.valid) return out + report.source + ": not valid\n";
  return out + fmt::format("{}: valid ({})\n", report.source, report.summary);
}

/// Reads as much as a policy may have, and one octet more to see that it is too long.
Result<std::string> read_bounded(std::istream& in) {
  std::string body(kMaxPolicyBody + 1, '\0');
  errno = 0;
  in.read(body.data(), static_cast<std::streamsize>(body.size()));
  if (in.bad() || (in.fail() && !in.eof())) {
    return failure("{}", std::generic_category().message(errno));
  }
  body.resize(static_cast<std::size_t>(in.gcount()));
  return body;
}

Result<std::string> read_policy(const std::string& path, std::istream& in) {
  if (path == "-") return read_bounded(in);
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file.is_open()) return failure("{}", std::generic_category().message(errno));
  return read_bounded(file);
}

int finish(const Report& report, bool as_json, std::ostream& out) {
  out << (as_json ? to_json(report) : to_human(report));
  return report.valid ? kLintValid : kLintInvalid;
}

int usage(std::ostream& err, std::string_view problem) {
  err << "sealane lint: " << problem << "\n" << kUsage;
  return kLintUsage;
}

}  // namespace

int lint_command(std::span<const std::string> args, std::istream& in, std::ostream& out,
                 std::ostream& err) {
  std::vector<std::string> operands;
  bool as_json = false;
  for (const std::string& arg : args) {
    if (arg == "--help" || arg == "-h") {
      out << kUsage;
      return kLintValid;
    }
    if (arg == "--json") {
      as_json = true;
    } else if (arg.size() > 1 && arg.front() == '-') {
      return usage(err, fmt::format("unknown option \"{}\"", escape(arg)));
    } else {
      operands.push_back(arg);
    }
  }
  if (operands.empty()) return usage(err, "what shall be judged?");
  const std::string what = operands.front();
  const auto rest = std::span<const std::string>(operands).subspan(1);
  if (what == "tlsa") {
    if (rest.empty()) return usage(err, "tlsa needs at least one record");
    return finish(lint_tlsa(rest), as_json, out);
  }
  if (what != "sts-policy" && what != "sts-record") {
    return usage(err, fmt::format("nothing is known about \"{}\"", escape(what)));
  }
  if (rest.size() != 1) return usage(err, fmt::format("{} needs exactly one argument", what));
  if (what == "sts-record") return finish(lint_record(rest.front()), as_json, out);

  const std::string source = rest.front() == "-" ? "stdin" : escape(rest.front());
  const auto body = read_policy(rest.front(), in);
  if (!body) {
    err << fmt::format("sealane lint: {}: {}\n", source, body.error());
    return kLintUnreadable;
  }
  return finish(lint_policy(source, *body), as_json, out);
}

}  // namespace sealane

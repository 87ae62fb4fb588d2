// SPDX-License-Identifier: Apache-2.0
#include "policy/tlsrpt.h"

#include <algorithm>

#include "base/text.h"

namespace sealane {
namespace {

constexpr std::string_view kVersion = "v=TLSRPTv1";
constexpr std::string_view kMismatch = "mtasts-policy-mx-mismatch";

/// Claims to be one: the version, then the delimiter, maybe after blanks.
bool is_candidate(std::string_view record) {
  if (!record.starts_with(kVersion)) return false;
  const auto delimiter = record.find_first_not_of(" \t", kVersion.size());
  return delimiter != std::string_view::npos && record[delimiter] == ';';
}

bool is_passed_on(std::string_view record) {
  return record.size() <= kMaxTlsrptRecord && std::all_of(record.begin(), record.end(), [](char c) {
           return (c >= ' ' && c <= '~') || c == '\t';
         });
}

/// Row 4, and the asker's own reports are silent about it.
bool is_untold_testing(const DecisionInput& input, const Decision& decision) {
  const bool testing = decision.sts == StsClass::testing && input.sts.policy.has_value();
  if (!testing || decision.dane != DaneClass::d0 || decision.would_be) return false;
  // Asked beside the map of TLS policies, for the same mail.
  if (input.dialect == Dialect::requiretls) return false;
  // This Postfix gets the policy and reports the session itself.
  if (decision.report_testing) return input.dialect != Dialect::postfix_tlsrpt;
  // With dane=off "may" stands for "not found" (row 32): a level, and no policy.
  const bool is_mere_level = decision.action == Action::may && decision.row == "4";
  return decision.action == Action::not_found || is_mere_level;
}

}  // namespace

std::string_view name_of(TlsrptFailure failure) {
  switch (failure) {
    case TlsrptFailure::fetch_error:
      return "sts-policy-fetch-error";
    case TlsrptFailure::policy_invalid:
      return "sts-policy-invalid";
    case TlsrptFailure::webpki_invalid:
      return "sts-webpki-invalid";
    case TlsrptFailure::validation_failure:
      return "validation-failure";
  }
  return "";
}

std::optional<std::string> read_tlsrpt_record(const std::vector<std::string>& records) {
  if (std::count_if(records.begin(), records.end(), is_candidate) != 1) return std::nullopt;
  const auto one = std::find_if(records.begin(), records.end(), is_candidate);
  if (!is_passed_on(*one)) return std::nullopt;
  return *one;
}

TlsrptReport report_of_fetch(const Domain& domain, TlsrptFailure failure, std::string_view cause) {
  const std::string reason = escape_again(cause, kMaxReportedReason);
  return TlsrptReport{domain, {}, {}, {}, {TlsrptDetail{failure, {}, reason}}};
}

std::optional<TlsrptReport> report_of_testing(const DecisionInput& input,
                                              const Decision& decision) {
  if (!is_untold_testing(input, decision)) return std::nullopt;
  const StsPolicy& policy = *input.sts.policy;
  TlsrptReport report{input.next_hop.domain, {}, policy.lines, {}, {}};
  for (const HostFinding& host : input.dane.hosts) {
    if (!is_live(host)) continue;
    const bool allowed = host.domain && policy.allows(*host.domain);
    if (allowed || report.details.size() == kMaxReportedHosts) continue;
    report.details.push_back(
        {TlsrptFailure::validation_failure, host.name, std::string(kMismatch)});
  }
  if (report.details.empty()) return std::nullopt;
  for (const MxPattern& pattern : policy.mx) report.mx_patterns.push_back(pattern.text());
  return report;
}

}  // namespace sealane

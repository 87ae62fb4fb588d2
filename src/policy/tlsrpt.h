// SPDX-License-Identifier: Apache-2.0
// What a domain is told of its MTA-STS policy by way of TLSRPT (RFC 8460), as plain values.
// The rule, so that no session counts twice: we report only what the answer said nothing of to an
// MTA that reports by itself.  Asking for the record, and sending, are lookup/tlsrpt_reporter.h.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/decision.h"
#include "policy/domain.h"

namespace sealane {

/// Longest TLSRPT record that is passed on, in octets: a few addresses take less than 500, and what
/// does not fit into a UDP reply is rarely served.
inline constexpr std::size_t kMaxTlsrptRecord = 4'096;
/// MX hosts that one report names.  More say nothing new, and a datagram has an end.
inline constexpr std::size_t kMaxReportedHosts = 10;
/// Longest text of a reason in a report, in octets.
inline constexpr std::size_t kMaxReportedReason = 200;

/// The result types of RFC 8460 4.3 that are found out here, not by the MTA.
enum class TlsrptFailure { fetch_error, policy_invalid, webpki_invalid, validation_failure };
/// "sts-policy-fetch-error", …
std::string_view name_of(TlsrptFailure failure);

struct TlsrptDetail {
  TlsrptFailure failure = TlsrptFailure::fetch_error;
  std::string mx_host;  ///< empty: it is not about one
  std::string reason;   ///< the failure-reason-code; may be empty
  friend bool operator==(const TlsrptDetail&, const TlsrptDetail&) = default;
};

/// One delivery, as far as we judge it.  The texts are foreign.
struct TlsrptReport {
  Domain domain;                            ///< policy domain and destination
  std::string record;                       ///< its TLSRPT record
  std::vector<std::string> policy_strings;  ///< the lines of the policy, if there is one
  std::vector<std::string> mx_patterns;     ///< what it allows
  std::vector<TlsrptDetail> details;        ///< at least one: each report tells of a failure
};

/// The one TLSRPT record of a domain among its TXT records; nothing if it has none, several, or one
/// that is too long or not of printable ASCII (RFC 8460 3: it asks for no reports then).
std::optional<std::string> read_tlsrpt_record(const std::vector<std::string>& records);

/// A fetch that failed without any policy in force.
TlsrptReport report_of_fetch(const Domain& domain, TlsrptFailure failure, std::string_view cause);

/// The MX hosts that a policy in testing mode would refuse (RFC 8461 5), if the MTA that gets this
/// decision reports nothing of them itself.  Without DANE only: where DANE decides, the policy has
/// no say (RFC 8461 2).  `decision` is that of `input`.
std::optional<TlsrptReport> report_of_testing(const DecisionInput& input, const Decision& decision);

}  // namespace sealane

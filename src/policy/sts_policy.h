// SPDX-License-Identifier: Apache-2.0
// The MTA-STS policy a domain publishes (RFC 8461, section 3.2).
// Parsing and matching only: fetching is lookup/policy_fetcher.h, keeping is lookup/policy_store.h.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "policy/domain.h"
#include "policy/finding.h"

namespace sealane {

inline constexpr std::size_t kMaxPolicyBody = 64 * 1024;        ///< octets (RFC 8461 3.3)
inline constexpr std::chrono::seconds kMaxPolicyAge{31557600};  ///< one year (RFC 8461 3.2)

enum class StsMode { enforce, testing, none };
std::string_view name_of(StsMode mode);

/// One "mx" line: a host name, or "*." before a domain to match the hosts directly below it.
class MxPattern {
 public:
  static Result<MxPattern> parse(std::string_view text);

  /// RFC 8461 4.1: "*" stands for exactly one label.
  bool matches(const Domain& mx_host) const;

  bool is_wildcard() const { return wildcard_; }
  /// The name, without "*.".
  const Domain& domain() const { return domain_; }
  /// As published: "*.example.net" or "mx.example.net", lower-case.
  std::string text() const;
  friend bool operator==(const MxPattern&, const MxPattern&) = default;

 private:
  MxPattern(bool wildcard, Domain domain) : wildcard_(wildcard), domain_(std::move(domain)) {}
  bool wildcard_;
  Domain domain_;
};

struct StsPolicy {
  StsMode mode = StsMode::none;
  std::chrono::seconds max_age{0};  ///< clamped to kMaxPolicyAge
  std::vector<MxPattern> mx;        ///< in file order, duplicates dropped
  std::vector<std::string> lines;   ///< the non-empty lines as published, for TLSRPT

  bool allows(const Domain& mx_host) const;
};

/// Reads a policy file.  Unknown fields are skipped, and of a repeated field the first counts.
/// With `findings`, adds every remark, with its line, whether or not the policy is valid.
Result<StsPolicy> parse_sts_policy(std::string_view body,
                                   std::vector<LintFinding>* findings = nullptr);

}  // namespace sealane

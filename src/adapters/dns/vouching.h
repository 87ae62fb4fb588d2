// SPDX-License-Identifier: Apache-2.0
// Whether a resolver's word is good: a resolver that does not validate never sets the AD bit, and
// then everything looks unprotected.  Only one that has just proved that it validates is believed
// when it says "insecure".  Pure.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "adapters/dns/dns_cache.h"
#include "adapters/dns/dns_message.h"

namespace sealane {

/// How long a passed self-test is good for; the `. SOA` test is repeated at this period.
inline constexpr std::chrono::seconds kVouchLife{60};
/// Period of the denial test (a random top-level name) and of the canary.
inline constexpr std::chrono::seconds kDenialPeriod{600};
/// A denial test that gets no answer (the root is out of reach) leaves an earlier pass standing
/// this long: the resolver still validates, and domains in its reach must not suffer.
inline constexpr std::chrono::seconds kDenialLife{1800};

enum class ProbeResult { passed, contradicted, unanswered };

struct Probe {
  ProbeResult result = ProbeResult::unanswered;
  std::string cause;  ///< for the operator; empty if passed
};

/// `. SOA` must exist, with AD if `needs_ad`.
Probe judge_root(const std::optional<DnsMessage>& message, bool needs_ad);
/// A name that does not exist must be denied with AD.
Probe judge_denial(const std::optional<DnsMessage>& message);
/// A name whose signatures are wrong must be SERVFAIL.
Probe judge_canary(const std::optional<DnsMessage>& message);

/// What the tests of one resolver say together.
class Vouching {
 public:
  explicit Vouching(bool needs_denial) : needs_denial_(needs_denial) {}

  void root(const Probe& probe, SteadyTime when);
  /// Denial test and canary together: the worse of the two.
  void denial(const Probe& probe, SteadyTime when);

  bool denial_due(SteadyTime now) const;
  bool holds(SteadyTime now) const;
  /// Why the last tests do not vouch; empty if they did.
  std::string cause() const { return !root_cause_.empty() ? root_cause_ : denial_cause_; }
  std::optional<SteadyTime> last_pass() const { return root_passed_; }

 private:
  bool needs_denial_;
  std::optional<SteadyTime> root_passed_;
  std::optional<SteadyTime> denial_passed_;
  std::string root_cause_ = "not tested yet";
  std::string denial_cause_;
  bool denial_settled_ = false;  ///< the last denial test passed
};

}  // namespace sealane

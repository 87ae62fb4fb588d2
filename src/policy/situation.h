// SPDX-License-Identifier: Apache-2.0
// What the rows of the decision table look at, once the overrides have had their say.
// Internal to the decision: decision.cc, decision_rows.cc, mixed.cc, default_level.cc, dialects.cc.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "policy/decision.h"

namespace sealane {

/// Refers to the input, which must outlive it.
struct Situation {
  const DecisionInput& input;
  std::vector<const HostFinding*> live;  ///< all but DEAD, in the order of the finding
  DaneClass dane = DaneClass::fail;
  StsClass sts = StsClass::none;
  const StsPolicy* policy = nullptr;  ///< with enforce and testing
  std::string sts_reason;             ///< why the STS class is what it is
  bool sts_asked = true;              ///< false: the class is laid down, not found out

  bool enforce() const { return sts == StsClass::enforce; }
  /// An enforce policy may exist and is not known: S-TXTERR, S-PEND, or our own fault.
  bool open() const;
  /// The policy allows this MX host.
  bool allows(const HostFinding& host) const;
  bool any(HostState state) const;
  bool every(HostState state) const;  ///< true as well when there is no live host
  /// NONE or ENC among the live hosts.
  bool any_without_dane() const { return any(HostState::none) || any(HostState::enc); }
  /// The dialect enforces the list of MX names it is given.
  bool filter() const { return input.dialect == Dialect::postfix_tlsrpt; }
  const std::string& domain() const { return input.next_hop.domain.text(); }
};

/// Applies the overrides dane= and sts= and classifies.
Situation situation_of(const DecisionInput& input);

/// "mx1.example.com", fit for a log line whatever the MX record held.
std::string shown(const HostFinding& host);

/// The reasons of the hosts in ERR: the first in full, the number of the others.
std::string host_errors(const Situation& situation);

/// An answer that rests on `row`; the text becomes a step of the trail.
Decision answer(Action action, std::string_view row, std::string text);
/// A temporary answer; `reason` is what the postmaster reads.
Decision later(std::string_view row, std::string reason);
/// Adds a step of the trail and makes its row the deciding one.
void step(Decision& decision, std::string_view row, std::string text);
/// Adds to the trail how the deciding row came to its answer.
void note(Decision& decision, std::string_view label, std::string text);

// The parts.  Each returns action, row, reason, trail and notices; finishing adds the rest.

/// Rows 1-28 with sections 5 (MIXED) and 2.
Decision by_table(const Situation& situation);
/// Temporary until the STS class is settled; `row` is the one that says so.
Decision wait_for_sts(const Situation& situation, std::string_view row);
/// STS with all names of the policy.
Decision by_policy(const Situation& situation, std::string_view row, std::string text);
/// Section 5.  With S-ENF only.
Decision mixed(const Situation& situation, std::string_view row);
/// N, when no DANE host stands in the best tier that is in play and a host of N does; else empty.
std::vector<Domain> hosts_by_policy(const Situation& situation);
/// Whether there could be a policy for which hosts_by_policy() is not empty.
bool may_be_by_policy(const Situation& situation);
/// Changes an answer "dane" where main.cf has another default level than Postfix itself.
Decision with_default_level(Decision decision, const Situation& situation);
/// The table as the dialect of the question can express it, overrides included.
Decision by_dialect(const Situation& situation);

}  // namespace sealane

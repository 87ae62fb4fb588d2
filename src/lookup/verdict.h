// SPDX-License-Identifier: Apache-2.0
// From what was found about a destination, all of it or what there was in time, to what a dialect
// is told.  Pure; gathering is lookup/policy_finder.h.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "lookup/explanation.h"

namespace sealane {

/// The whole answer, well before the MTA gives up: Postfix waits 100 s, Exim 20 s, Sendmail 5 s.
inline constexpr std::chrono::seconds kPostfixBudget{30};
inline constexpr std::chrono::seconds kEximBudget{18};
inline constexpr std::chrono::seconds kSendmailBudget{4};

std::chrono::seconds budget_of(Dialect dialect);

/// Everything a decision needs but the asker.
struct Found {
  std::string key;  ///< as it was asked
  NextHop next_hop;
  OverrideRulePtr rule;               ///< may be null
  std::chrono::seconds rule_left{0};  ///< how long the rule is still in force
  std::optional<DaneFinding> dane;    ///< absent: not found in time
  std::optional<StsFinding> sts;      ///< absent: not found in time
  DecisionSettings settings;
};

/// Sendmail does DANE itself: an enforced policy is its answer whatever the hosts are.
bool needs_no_dane(Dialect dialect, const Override& what, const std::optional<DaneFinding>& dane,
                   const std::optional<StsFinding>& sts);

/// What is decided with as long as MTA-STS is not known.
StsFinding not_yet_known();

/// The budget is over, and DNS has not been answered.
Decision too_slow(Dialect dialect);

/// The same for a key that names no destination: `none`, or what else the dialect reads in it.
Verdict verdict_of(const std::string& key, const NoNextHop& none, Dialect dialect);

/// What the dialect is told when no more will be found, and what it would be told otherwise.
Verdict verdict_of(const Found& found, Dialect dialect);

}  // namespace sealane

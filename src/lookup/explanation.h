// SPDX-License-Identifier: Apache-2.0
// Everything behind the answers to one key: what was found, what follows from it for each dialect,
// and by which rows.  Values only; telling it is the work of the front ends.
#pragma once

#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "lookup/override_book.h"
#include "lookup/sts_view.h"
#include "policy/dane.h"
#include "policy/decision.h"
#include "policy/next_hop.h"

namespace sealane {

/// Whoever may ask, in the order in which the answers are told.
inline constexpr std::array<Dialect, 6> kDialects{Dialect::postfix,      Dialect::postfix_tlsrpt,
                                                  Dialect::postfix_pins, Dialect::requiretls,
                                                  Dialect::sendmail_sts, Dialect::exim};

/// What one dialect is told.
struct Verdict {
  Dialect dialect = Dialect::postfix;
  Decision decision;
  /// While observing: what would be said otherwise.  `decision` says nothing then.
  std::optional<Decision> unobserved;
  /// With a policy in use: what would be said when it has run out, and cannot be fetched.
  std::optional<Decision> without_policy;
};

/// One look at a destination.
struct Look {
  std::optional<DaneFinding> dane;  ///< absent: the lookups took too long
  std::optional<StsSight> sts;      ///< absent: the same, or not port 25
  std::vector<Verdict> verdicts;    ///< by kDialects
  std::chrono::milliseconds took{0};
};

struct Explanation {
  std::string key;  ///< as it was asked
  ParsedKey parsed = NoNextHop{NoNextHop::Why::empty, {}};
  OverrideRulePtr rule;  ///< null: none is in force for this destination
  DecisionSettings settings;
  Look known;                ///< as an MTA's question finds it
  std::optional<Look> live;  ///< looked up anew
  bool too_busy = false;     ///< `live` was wanted, and too many others are looking
};

}  // namespace sealane

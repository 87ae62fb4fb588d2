// SPDX-License-Identifier: Apache-2.0
// The overrides in force: handed out by destination, replaced as a whole, and talked about in the
// log: each use with its reason, and those whose time is over.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "lookup/clock.h"
#include "policy/decision.h"
#include "policy/overrides.h"

namespace sealane {

/// How often the overrides whose time is over are logged again, so that they get cleaned up.
inline constexpr std::chrono::hours kExpiredOverridesEvery{24};
/// Lines of it each time; the others are only counted.
inline constexpr std::size_t kMaxExpiredLogged = 20;

/// A rule and the set it belongs to: it outlives a reload.
using OverrideRulePtr = std::shared_ptr<const OverrideRule>;

/// Lives on the lookup thread.
class OverrideBook {
 public:
  explicit OverrideBook(const Clock& clock) : clock_(clock) {}

  /// Takes another set, for the questions that come from now on, and logs what is over in it.
  void replace(std::shared_ptr<const Overrides> fresh);

  /// The rule for a destination; null if there is none in force.  The name decides: brackets and
  /// port of the next-hop make no difference.
  OverrideRulePtr find(const Domain& name) const;

  /// All of them, those whose time is over included.
  std::shared_ptr<const Overrides> current() const { return current_; }

  /// For how long the rule is still in force; seconds::max() when it has no end.
  std::chrono::seconds left(const OverrideRule& rule) const;

  /// Logs that the rule had a part in an answer.  That its fixed reply is for other MTAs than the
  /// one that asks is logged once a rule.
  void note_use(const OverrideRule& rule, const std::string& destination, Dialect dialect,
                const Decision& decision);

  /// To be called each second or so: once a day, logs what is over.  The number of such rules if
  /// it did, else 0.
  std::size_t tick();

 private:
  std::size_t log_expired();

  const Clock& clock_;
  std::shared_ptr<const Overrides> current_ = std::make_shared<Overrides>();
  std::chrono::steady_clock::time_point next_report_{};
  std::set<std::string> not_for_asker_;  ///< places of the current set; bounded by it
};

}  // namespace sealane

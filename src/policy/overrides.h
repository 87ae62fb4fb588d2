// SPDX-License-Identifier: Apache-2.0
// The operator's overrides as a set: which rule is for a destination (docs/formats.md,
// "Overrides"). Reading them from text is policy/override_file.h, what they do is
// policy/decision.h.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/domain.h"
#include "policy/override.h"

namespace sealane {

/// One line of the overrides file.
struct OverrideRule {
  Domain domain;
  bool subtree = false;  ///< `.domain`: the names below it, and not itself
  Override override_;
  std::optional<std::chrono::sys_seconds> until;  ///< the first moment at which it is void
  int line = 0;                                   ///< of the file, from 1

  bool in_force(std::chrono::sys_seconds now) const { return !until || now < *until; }
  /// "example.net" or ".example.net".
  std::string place() const;
  /// `until` as it is written in the file: the last day, or the moment; only with `until`.
  std::string until_text() const;
};

/// The rule as a line that is read back the same.
std::string text_of(const OverrideRule& rule);

/// A set of rules, at most one for a place.  Immutable; looking up costs a binary search for each
/// label of the name.
class Overrides {
 public:
  Overrides() = default;
  /// Of rules for the same place the first in `rules` counts.
  explicit Overrides(std::vector<OverrideRule> rules);

  /// The most specific rule that is in force: the name itself, then the longest subtree.  Null if
  /// there is none; valid as long as the set is.
  const OverrideRule* find(const Domain& name, std::chrono::sys_seconds now) const;

  /// The rules whose time is over, in the order of the file.
  std::vector<const OverrideRule*> expired(std::chrono::sys_seconds now) const;

  /// Sorted by domain.
  const std::vector<OverrideRule>& rules() const { return rules_; }

 private:
  const OverrideRule* at(std::string_view domain, bool subtree) const;

  std::vector<OverrideRule> rules_;
};

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
// Consecutive failures of one lookup, and when they are more than a passing trouble.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "lookup/clock.h"

namespace sealane {

/// The bound (row 7): this many failures over this long.
inline constexpr std::uint32_t kErrorBoundCount = 3;
inline constexpr std::chrono::minutes kErrorBoundTime{15};
/// Failures closer together than this are one failure seen twice (the resolver's error cache).
inline constexpr std::chrono::seconds kErrorSpacing{25};
/// A streak this long after its last failure says nothing any more.
inline constexpr std::chrono::hours kErrorStreakLife{7 * 24};
/// A wall clock that differs from the steady one by more was set, and not only rounded.
inline constexpr std::chrono::seconds kClockRounding{2};

/// count 0 = none.  Wall-clock times: a streak survives restarts in the store.  While we run it is
/// measured on the steady clock, and its times move with a wall clock that is set.
struct ErrorStreak {
  std::chrono::sys_seconds first{};
  std::uint32_t count = 0;
  std::chrono::sys_seconds last{};
  std::string text;  ///< the last failure, for a human
  /// `last` on the steady clock; not stored.
  std::optional<std::chrono::steady_clock::time_point> steady_last{};

  /// What is stored.
  friend bool operator==(const ErrorStreak& a, const ErrorStreak& b) {
    return a.first == b.first && a.count == b.count && a.last == b.last && a.text == b.text;
  }

  /// Adapts the times to a wall clock that was set meanwhile.  A streak that is over, or that a
  /// wrong clock has written, is dropped.  Call it with what comes from the store.
  void follow(const Clock& clock) {
    if (count == 0) return;
    const std::chrono::seconds age = age_now(clock);
    const bool impossible = age < std::chrono::seconds{0} || first > last;
    if (impossible || age > kErrorStreakLife) {
      *this = {};
      return;
    }
    const std::chrono::seconds set_by = clock.wall() - age - last;
    if (!steady_last) steady_last = clock.steady() - age;
    if (std::chrono::abs(set_by) <= kClockRounding) return;
    first += set_by;
    last += set_by;
  }

  /// Counts a failure; one that follows within kErrorSpacing only once.
  void note(const Clock& clock, std::string what) {
    follow(clock);
    if (count > 0 && age_now(clock) < kErrorSpacing) return;
    if (count == 0) first = clock.wall();
    ++count;
    last = clock.wall();
    steady_last = clock.steady();
    text = std::move(what);
  }
  bool beyond_bound() const { return count >= kErrorBoundCount && last - first >= kErrorBoundTime; }

  /// Since the last failure.
  std::chrono::seconds age_now(const Clock& clock) const {
    if (!steady_last) return clock.wall() - last;
    return std::chrono::floor<std::chrono::seconds>(clock.steady() - *steady_last);
  }
};

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
// Consecutive failures of one lookup, and when they are more than a passing trouble.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

namespace sealane {

/// The bound (row 7): this many failures over this long.
inline constexpr std::uint32_t kErrorBoundCount = 3;
inline constexpr std::chrono::minutes kErrorBoundTime{15};
/// Failures closer together than this are one failure seen twice (the resolver's error cache).
inline constexpr std::chrono::seconds kErrorSpacing{25};
/// A streak this long after its last failure says nothing any more.
inline constexpr std::chrono::hours kErrorStreakLife{7 * 24};

/// count 0 = none.  Wall-clock times: a streak survives restarts in the store.
struct ErrorStreak {
  std::chrono::sys_seconds first{};
  std::uint32_t count = 0;
  std::chrono::sys_seconds last{};
  std::string text;  ///< the last failure, for a human
  friend bool operator==(const ErrorStreak&, const ErrorStreak&) = default;

  /// Counts a failure; one that follows within kErrorSpacing only once.
  void note(std::chrono::sys_seconds now, std::string what) {
    const bool seen_twice = count > 0 && now >= last && now - last < kErrorSpacing;
    if (seen_twice) return;
    if (count > 0 && now - last > kErrorStreakLife) *this = {};
    if (count == 0) first = now;
    ++count;
    last = now;
    text = std::move(what);
  }
  bool beyond_bound() const { return count >= kErrorBoundCount && last - first >= kErrorBoundTime; }
};

}  // namespace sealane

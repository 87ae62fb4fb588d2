// SPDX-License-Identifier: Apache-2.0
// Tells a failure of our own network from one of the policy hosts: when nobody can be reached, it
// is us, and what we could not find out must not become "this domain has no policy".
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "lookup/policy_fetcher.h"

namespace sealane {

/// Fetches of this many domains at this many addresses failed to connect, and none succeeded …
inline constexpr std::size_t kUnreachableDomains = 3;
inline constexpr std::size_t kUnreachableAddresses = 3;
/// … within this time.
inline constexpr std::chrono::minutes kHealthWindow{5};

/// Addresses of the policy host were tried, and none let us connect.
bool has_no_connection(const FetchFailure& failure);

/// Values only; the lookup thread's.
class NetworkHealth {
 public:
  using Steady = std::chrono::steady_clock::time_point;

  /// A fetch failed: no connection came about, or the other side has said something.
  void note_failure(const std::string& domain, const FetchFailure& failure, Steady now);
  /// A fetch to which no connection came about.
  void note_unreachable(const std::string& domain, std::vector<std::string> addresses, Steady now);
  /// A connection came about, whatever it was good for.
  void note_reached(Steady now) {
    failures_.clear();
    reached_at_ = now;
  }
  bool looks_broken(Steady now) const;
  /// No connection came about, nor to anybody else.
  bool is_alone(const FetchFailure& failure, Steady now) const;
  /// The failure is the other side's beyond doubt, and may be told to others: the other side has
  /// said something, or somebody else has within kHealthWindow.  Stricter than !is_alone(), which
  /// needs several failures to tell.
  bool is_theirs(const FetchFailure& failure, Steady now) const;

 private:
  struct Failure {
    Steady at;
    std::string domain;
    std::vector<std::string> addresses;
  };
  static constexpr std::size_t kMaxFailures = 64;  ///< more say nothing new
  std::deque<Failure> failures_;
  std::optional<Steady> reached_at_;
};

}  // namespace sealane

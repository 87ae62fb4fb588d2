// SPDX-License-Identifier: Apache-2.0
// When a policy is to be fetched anew: values in, values out.  The entry in memory and the walk
// over the store must say the same of the same domain, so the rules are in one place.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

#include "lookup/policy_store.h"

namespace sealane {

/// A policy is fetched anew after a day, or at half its life if it lives less than two (RFC 8461
/// 10.2: SHOULD NOT wait for the expiry).
inline constexpr std::chrono::hours kRefreshAfter{24};
inline constexpr std::chrono::hours kShortLife{48};
/// The day is this much shorter or longer, per mille, each domain its own way.
inline constexpr std::int64_t kRefreshJitter = 100;
/// What became overdue while the daemon did not run is spread over this time.
inline constexpr std::chrono::hours kStartSpread{3};
/// Back-off after failed fetches, without and with a policy to go on with.
inline constexpr std::chrono::minutes kFirstBackoff{5};
inline constexpr std::chrono::minutes kMaxBackoff{15};
inline constexpr std::chrono::hours kMaxRefreshBackoff{6};
/// Nobody has asked for the domain in this time: it is not refreshed any more.
inline constexpr std::chrono::hours kAbandonedAfter{30 * 24};

/// 0 … 999: a domain's place in whatever is spread.  The same in every process, so that a restart
/// does not bunch what was spread before.
std::int64_t spread_of(std::string_view domain);

/// The pause after so many failures in a row: 5, 10, 20 … minutes, at most `most`.
std::chrono::seconds backoff(std::uint32_t failures, std::chrono::seconds most);

/// The pause before the daemon's own repetition of a failing TXT lookup: 30, 60, 120, then 300 s.
std::chrono::seconds txt_retry_pause(std::uint32_t failures);

/// How old a policy of this life becomes before it is fetched anew.
std::chrono::seconds refresh_age(std::chrono::seconds life, std::int64_t spread);

/// A policy at one moment.
struct PolicyAge {
  std::chrono::seconds since_fetch;
  std::chrono::seconds until_expiry;  ///< below 0: expired
  std::chrono::seconds since_start;   ///< of the daemon, or since its clock was set
};

/// How long until the policy is to be fetched anew; 0 or less: now.  An expired one that nobody
/// asks for is as patient as the rest: a clock that is wrong at start may be set meanwhile.
std::chrono::seconds until_refresh(const PolicyAge& age, std::int64_t spread);

/// Nobody asks any more.  A domain that nobody ever asked for counts as abandoned.
bool is_abandoned(const StsMemory& memory, std::chrono::sys_seconds now);

}  // namespace sealane

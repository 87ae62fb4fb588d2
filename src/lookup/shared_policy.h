// SPDX-License-Identifier: Apache-2.0
// The rules about a policy that another node of a fleet has fetched: whether it can be believed,
// whether it may take the place of ours, whether it makes a fetch unnecessary.  No I/O.
//
// Never an answer weaker than what this node has seen: another's policy prolongs and strengthens
// ours.  To weaken it, this node looks for itself.
#pragma once

#include <chrono>
#include <optional>

#include "base/result.h"
#include "lookup/policy_store.h"

namespace sealane {

/// The clocks of the nodes may differ by so much.
inline constexpr std::chrono::minutes kClockSkew{5};
/// Younger than ours by less, another's policy spares no fetch: the second look at a policy, ten
/// minutes after a new id, must be one.
inline constexpr std::chrono::minutes kWorthTaking{9};
/// With less life left than this nobody waits for another node's fetch.
inline constexpr std::chrono::hours kTurnsAbove{1};

/// What a node may have written, now; with a time of fetch that is not ahead of our clock.  Says
/// what is wrong with anything else: an unreadable policy, one that lives longer than it says, one
/// that is over, or from the future.
Result<StoredPolicy> vetted(StoredPolicy theirs, std::chrono::sys_seconds now);

/// Whether theirs, which is vetted, may take the place of ours: fetched later and not weaker.
bool improves(const std::optional<StoredPolicy>& ours, const StoredPolicy& theirs);

/// Whether it does so well enough to make the planned fetch unnecessary.
bool spares_fetch(const FetchPlan& plan, const StoredPolicy& theirs);

/// Whether the planned fetch can wait for another node that is at it.
bool can_wait(const FetchPlan& plan, std::chrono::sys_seconds now);

}  // namespace sealane

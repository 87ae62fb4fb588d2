// SPDX-License-Identifier: Apache-2.0
// The rules about a policy that another node of a fleet has fetched: whether it can be believed,
// whether it may take the place of ours, whether it makes a fetch unnecessary.  No I/O.
//
// Never an answer weaker than what this node has seen: another's policy is believed at a first
// contact, and prolongs ours afterwards.  To change it, this node looks for itself.
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
/// A lock lives as long as a fetch may take (60 s), and goes by itself when its holder dies. Nobody
/// waits longer for one that does not.
inline constexpr std::chrono::seconds kLockLife{70};
/// With less life left than this nobody waits for another node's fetch.
inline constexpr std::chrono::hours kTurnsAbove{1};

/// What a node may have written, now; with a time of fetch that is not ahead of our clock.  Says
/// what is wrong with anything else: an unreadable policy, one that lives longer than it says, one
/// that is over, or from the future.
Result<StoredPolicy> vetted(StoredPolicy theirs, std::chrono::sys_seconds now);

/// Whether theirs, which is vetted, may take the place of ours: it is the same text, fetched later
/// and over later.  Hosts count as much as the mode: with others, mail would go where the owner
/// never sent it.
bool improves(const std::optional<StoredPolicy>& ours, const StoredPolicy& theirs);

/// Whether it does so well enough to make the planned fetch unnecessary.
bool spares_fetch(const FetchPlan& plan, const StoredPolicy& theirs);

/// Whether the planned fetch can wait for another node that is at it.
bool can_wait(const FetchPlan& plan, std::chrono::sys_seconds now);

}  // namespace sealane

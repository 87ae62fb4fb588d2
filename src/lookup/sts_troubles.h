// SPDX-License-Identifier: Apache-2.0
// The domains whose MTA-STS lookups fail at this moment, so that an operator can be told without a
// walk over the store.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <vector>

#include "lookup/error_streak.h"
#include "lookup/policy_store.h"
#include "policy/domain.h"

namespace sealane {

/// Domains at most: more than anybody reads; those that come on top are not listed.
inline constexpr std::size_t kMaxTroubles = 1'000;
/// A failing domain without a policy is asked for again within the hour, or nobody minds.
inline constexpr std::chrono::hours kTroubleLife{2};

struct StsTrouble {
  Domain domain;
  bool txt = false;  ///< the TXT lookup fails, and not the fetch of the policy
  ErrorStreak streak;
  bool has_policy = false;                          ///< one is known still; it may be past its end
  std::optional<std::chrono::sys_seconds> expires;  ///< of the policy
};

/// One thread.
class StsTroubles {
 public:
  /// What is known of the domain now: enters it, or takes it out.
  void note(const Domain& domain, const StsMemory& memory);
  /// What the store says of a domain that was not heard of yet.
  void learn(const Domain& domain, const StsMemory& memory);
  void erase(const Domain& domain) { known_.erase(domain); }

  /// Those that matter now; those whose policies end first at the front.
  std::vector<StsTrouble> list(std::chrono::sys_seconds now) const;

 private:
  std::map<Domain, StsTrouble> known_;
};

}  // namespace sealane

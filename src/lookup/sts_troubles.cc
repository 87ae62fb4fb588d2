// SPDX-License-Identifier: Apache-2.0
#include "lookup/sts_troubles.h"

#include <algorithm>
#include <utility>

namespace sealane {

void StsTroubles::note(const Domain& domain, const StsMemory& memory) {
  known_.erase(domain);
  const bool fetch_fails = memory.fetch_errors.count > 0;
  if (!fetch_fails && memory.txt_errors.count == 0) return;
  if (known_.size() >= kMaxTroubles) return;
  StsTrouble trouble{domain,
                     !fetch_fails,
                     fetch_fails ? memory.fetch_errors : memory.txt_errors,
                     memory.policy.has_value(),
                     {}};
  if (memory.policy) trouble.expires = memory.policy->expires;
  known_.emplace(domain, std::move(trouble));
}

void StsTroubles::learn(const Domain& domain, const StsMemory& memory) {
  if (!known_.contains(domain)) note(domain, memory);
}

std::vector<StsTrouble> StsTroubles::list(std::chrono::sys_seconds now) const {
  std::vector<StsTrouble> found;
  for (const auto& [domain, trouble] : known_) {
    const bool old = now - trouble.streak.last > kTroubleLife;
    if (trouble.has_policy || !old) found.push_back(trouble);
  }
  const auto end_of = [](const StsTrouble& trouble) {
    return trouble.expires.value_or(std::chrono::sys_seconds::max());
  };
  std::stable_sort(found.begin(), found.end(),
                   [&](const StsTrouble& left, const StsTrouble& right) {
                     return end_of(left) < end_of(right);
                   });
  return found;
}

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
#include "lookup/refresh_plan.h"

#include <algorithm>

#include "lookup/freshness.h"

namespace sealane {
namespace {

using std::chrono::seconds;
using std::chrono::sys_seconds;

/// After the thirtieth day without a question a policy lives on to its end; then one more fetch is
/// tried, since it may be our clock that is wrong, and what has been fetched so is not tried again.
RefreshPlan plan_abandoned(const StsMemory& memory, const PolicyAge& age, std::int64_t spread) {
  if (age.until_expiry > seconds{0}) return {};
  const bool tried = !memory.asked || memory.policy->fetched > *memory.asked + kAbandonedAfter;
  return {tried ? RefreshNeed::forget : RefreshNeed::fetch, until_refresh(age, spread)};
}

}  // namespace

RefreshPlan plan_of(const Domain& domain, const StsMemory& memory, sys_seconds now,
                    seconds running) {
  if (!memory.policy) {
    const bool old = now - memory.txt_errors.last > kErrorStreakLife;
    return {old ? RefreshNeed::forget : RefreshNeed::nothing, {}};
  }
  const StoredPolicy& policy = *memory.policy;
  const std::int64_t spread = spread_of(domain.text());
  const PolicyAge age{now - policy.fetched, policy.expires - now, running};
  if (is_abandoned(memory, now)) return plan_abandoned(memory, age, spread);
  if (policy.fetched > now) return {RefreshNeed::fetch, seconds{0}};  // written by a wrong clock
  seconds wait = until_refresh(age, spread);
  const ErrorStreak& errors = memory.fetch_errors;
  if (errors.count > 0 && errors.last <= now) {
    wait = std::max(wait, errors.last - now + backoff(errors.count, kMaxRefreshBackoff));
  }
  if (age.until_expiry > seconds{0}) wait = std::min(wait, age.until_expiry);
  return {RefreshNeed::fetch, wait};
}

}  // namespace sealane

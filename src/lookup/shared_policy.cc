// SPDX-License-Identifier: Apache-2.0
#include "lookup/shared_policy.h"

#include <algorithm>

#include "base/text.h"
#include "lookup/sts_entry.h"
#include "policy/sts_policy.h"

namespace sealane {
namespace {

using std::chrono::seconds;
using std::chrono::sys_seconds;

/// RFC 8461 3.1: sts-id = 1*32(ALPHA / DIGIT).  Without a TXT record there is none.
constexpr std::size_t kMaxId = 32;

bool is_id(std::string_view id) {
  return id.size() <= kMaxId &&
         std::all_of(id.begin(), id.end(), [](char c) { return is_alpha(c) || is_digit(c); });
}

}  // namespace

Result<StoredPolicy> vetted(StoredPolicy theirs, sys_seconds now) {
  if (!is_id(theirs.id)) return failure("the id is none");
  const auto policy = parse_sts_policy(theirs.body);
  if (!policy) return failure("the policy is invalid: {}", policy.error());
  if (policy->max_age == seconds{0}) return failure("max_age 0 is not kept");
  const seconds life = theirs.expires - theirs.fetched;
  if (life <= seconds{0} || life > std::max(policy->max_age, kMinPolicyLife)) {
    return failure("it lives {} s, and its max_age is {}", life.count(), policy->max_age.count());
  }
  if (theirs.fetched > now + kClockSkew) return failure("it was fetched in the future");
  if (theirs.expires <= now) return failure("it is over");
  theirs.fetched = std::min(theirs.fetched, now);
  theirs.expires = std::min(theirs.expires, theirs.fetched + life);
  return theirs;
}

bool improves(const std::optional<StoredPolicy>& ours, const StoredPolicy& theirs) {
  if (!ours) return true;
  if (theirs.fetched <= ours->fetched || theirs.expires <= ours->expires) return false;
  const auto known = parse_sts_policy(ours->body);
  const auto other = parse_sts_policy(theirs.body);
  return known && other && known->lines == other->lines;
}

bool spares_fetch(const FetchPlan& plan, const StoredPolicy& theirs) {
  if (!plan.id.empty() && theirs.id != plan.id) return false;
  if (!improves(plan.known, theirs)) return false;
  const bool same_id = plan.known && plan.known->id == theirs.id;
  return !same_id || theirs.fetched >= plan.known->fetched + kWorthTaking;
}

bool can_wait(const FetchPlan& plan, sys_seconds now) {
  return !plan.awaited && plan.known && plan.known->expires - now > kTurnsAbove;
}

}  // namespace sealane

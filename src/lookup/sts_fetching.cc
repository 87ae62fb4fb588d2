// SPDX-License-Identifier: Apache-2.0
#include "lookup/sts_fetching.h"

#include <string>
#include <utility>

#include "lookup/shared_policy.h"
#include "lookup/sts_lookup.h"

namespace sealane {
namespace {

/// Counts a fetch for as long as it runs.
class Running {
 public:
  explicit Running(std::size_t& count) : count_(count) { ++count_; }
  ~Running() { --count_; }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

 private:
  std::size_t& count_;
};

}  // namespace

bool StsFetching::has_room_for_refresh() const {
  return refreshing_ < kMaxRefreshes && awaited_ < kBusyFetches && !closed_;
}

Task<> StsFetching::fetch_if_due(StsSlotPtr slot) {
  slot->outcome = Refreshed::not_due;
  if (slot->entry.knows_nothing()) {
    slot->entry.fetching = true;  // an answer waits for it
    co_await look_elsewhere(slot);
    slot->entry.fetching = false;
  }
  if (!slot->entry.wants_fetch(clock_) || closed_) co_return;
  const bool awaited = slot->entry.fetch_matters(clock_) || slot->demanded;
  if (!awaited && !has_room_for_refresh()) co_return;
  const Running running(awaited ? awaited_ : refreshing_);
  co_await fetch(slot);
}

Task<> StsFetching::look_elsewhere(StsSlotPtr slot) {
  FetchPlan plan = slot->entry.fetch_plan(clock_);
  Elsewhere other = co_await store_.elsewhere(slot->domain, std::move(plan));
  // Something else may have taught us meanwhile.
  const bool useful = other.policy && slot->entry.knows_nothing();
  if (useful) co_await take_over(slot, std::move(*other.policy));
}

/// A lock that outlives its holder's fetch holds nobody up.
bool StsFetching::waits(StsSlot& slot) const {
  if (!slot.waits_since) slot.waits_since = clock_.steady();
  return clock_.steady() - *slot.waits_since < kLockLife;
}

/// Here, unless another node has done it or is at it.  An operator who demands a fetch gets one.
Task<> StsFetching::fetch(StsSlotPtr slot) {
  slot->entry.fetching = true;
  slot->changed.notify();
  FetchPlan plan = slot->entry.fetch_plan(clock_);
  const bool awaited = plan.awaited || slot->demanded;
  bool settled = false;
  if (!slot->demanded) {
    Elsewhere other = co_await store_.elsewhere(slot->domain, std::move(plan));
    settled = other.under_way && waits(*slot);
    if (other.policy) settled = co_await take_over(slot, std::move(*other.policy));
  }
  if (!settled) co_await fetch_here(slot, awaited);
  slot->entry.fetching = false;
}

Task<bool> StsFetching::take_over(StsSlotPtr slot, StoredPolicy policy) {
  Result<StsPolicy> parsed = parse_sts_policy(policy.body);
  if (!parsed) co_return false;
  ++report_.counters.taken_over;
  slot->waits_since.reset();
  slot->outcome = Refreshed::good;
  const auto& stored = slot->entry.memory().policy;
  std::string old_id = stored ? stored->id : std::string();
  StsChange change = slot->entry.apply_elsewhere(std::move(policy), std::move(*parsed), clock_);
  co_await keep(slot, std::move(change), std::move(old_id));
  co_return true;
}

Task<> StsFetching::fetch_here(StsSlotPtr slot, bool awaited) {
  ++report_.counters.fetches;
  slot->waits_since.reset();
  if (!awaited) ++report_.counters.refreshes;
  Fetched fetched = co_await fetcher_.fetch(slot->domain);
  slot->unreachable_at.reset();
  if (fetched) {
    health_.note_reached(clock_.steady());
    co_await accept(slot, std::move(*fetched));
  } else {
    judge_failure(slot, fetched.error());
  }
}

Task<> StsFetching::accept(StsSlotPtr slot, FetchedBody body) {
  Result<StsPolicy> policy = parse_sts_policy(body.body);
  if (!policy) {
    refuse(slot, {TlsrptFailure::policy_invalid, "invalid policy: " + policy.error()});
    co_return;
  }
  slot->outcome = Refreshed::good;
  const auto& stored = slot->entry.memory().policy;
  std::string old_id = stored ? stored->id : std::string();
  StsChange change = slot->entry.apply_fetched(body, std::move(*policy), clock_);
  co_await keep(slot, std::move(change), std::move(old_id));
}

Task<> StsFetching::keep(StsSlotPtr slot, StsChange change, std::string old_id) {
  const auto now = clock_.wall();
  report_.fetched(*slot, change, old_id);
  // The memory of first contact is durable before the first answer that relies on it.
  slot->saving = true;
  const std::string problem = co_await saver_.save_now(slot, store_wait_, owner_());
  slot->saving = false;
  if (!problem.empty()) report_.not_durable(*slot, problem);
  if (change.deleted) store_.taken_back(slot->domain, now);
}

void StsFetching::judge_failure(const StsSlotPtr& slot, const FetchFailure& failure) {
  if (closed_) return;  // cut off by our own end: no verdict on anybody
  const auto now = clock_.steady();
  health_.note_failure(slot->domain.text(), failure, now);
  if (has_no_connection(failure)) slot->unreachable_at = now;
  const bool alone = health_.is_alone(failure, now);
  const bool own = failure.problem == FetchProblem::own;
  if (!own && !alone) {
    const bool theirs = health_.is_theirs(failure, now);
    return refuse(slot, {tlsrpt_failure(failure.problem), failure.text, theirs});
  }
  std::string cause = failure.text;
  if (alone) cause += " (no policy host is reachable: is it our own network?)";
  slot->outcome = Refreshed::own_fault;
  report_.own_fault(*slot, cause);
  [[maybe_unused]] const StsFailure none = slot->entry.apply_failure(cause, true, clock_);
}

void StsFetching::refuse(const StsSlotPtr& slot, const FetchVerdict& verdict) {
  slot->outcome = Refreshed::failed;
  const StsFailure failure = slot->entry.apply_failure(verdict.cause, false, clock_);
  report_.failed(*slot, failure, verdict);
  saver_.save_later(slot, owner_());
}

}  // namespace sealane

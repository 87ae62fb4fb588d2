// SPDX-License-Identifier: Apache-2.0
#include "lookup/sts_operator.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace sealane {
namespace {

/// How much a mode protects.
int strength(StsMode mode) {
  switch (mode) {
    case StsMode::enforce:
      return 2;
    case StsMode::testing:
      return 1;
    case StsMode::none:
      return 0;
  }
  return 0;
}

}  // namespace

std::string_view name_of(Imported outcome) {
  switch (outcome) {
    case Imported::taken:
      return "taken";
    case Imported::not_newer:
      return "not-newer";
    case Imported::weaker:
      return "weaker";
    case Imported::shorter:
      return "shorter";
    case Imported::known:
      return "known";
    case Imported::expired:
      return "expired";
    case Imported::from_future:
      return "from-future";
    case Imported::invalid:
      return "invalid";
    case Imported::busy:
      return "busy";
    case Imported::not_stored:
      return "not-stored";
  }
  return "?";
}

/// The domain's place in memory, loaded, after what is under way has ended or `until` has passed.
/// Places come and go while one waits: this one is the one that others find.
Task<StsSlotPtr> StsOperator::slot_of(Domain domain, Deadline until) {
  for (;;) {
    StsSlotPtr slot = slots_.quiet(domain);
    co_await work_.load(slot);
    while (slot->in_flight && std::chrono::steady_clock::now() < until) {
      co_await slot->changed.wait_until(until);
    }
    const bool held = slots_.find(domain.text()) == slot;
    if (!slot->loaded) release(slot);
    if (held || !slot->loaded) co_return slot;
  }
}

Task<> StsOperator::fly(StsSlotPtr slot) {
  slot->unnoted_question = true;
  work_.start(slot);
  while (slot->in_flight) co_await slot->changed.wait_until(Deadline::max());
}

/// What nobody asked for takes no room.
void StsOperator::release(const StsSlotPtr& slot) {
  if (!slot->in_flight) slots_.landed(slot, false);
}

Task<StsLook> StsOperator::ask_ahead(Domain domain) {
  const auto owner = work_.owner();
  const StsSlotPtr slot = co_await slot_of(domain, Deadline::min());
  StsLook look;
  look.known = slot->loaded && slot->entry.has_policy(clock_);
  if (look.known) {
    const auto asked = slot->entry.memory().asked;
    slot->entry.note_asked(clock_);
    std::string problem;
    if (!asked || clock_.wall() - *asked >= kAskedPrecision) {
      problem = co_await saver_.save_now(slot, work_.store_wait, owner);
    }
    if (!problem.empty()) look.outcome = Refreshed::own_fault;
  } else if (slot->loaded) {
    co_await fly(slot);
    look.outcome = slot->outcome;
  } else {
    look.outcome = Refreshed::own_fault;
  }
  look.finding = work_.finding(*slot);
  release(slot);
  co_return look;
}

Task<StsLook> StsOperator::look_now(Domain domain) {
  const auto owner = work_.owner();
  const StsSlotPtr slot = co_await slot_of(domain, Deadline::max());
  StsLook look;
  look.known = slot->loaded && slot->entry.has_policy(clock_);
  look.outcome = Refreshed::own_fault;
  if (slot->loaded) {
    slot->demanded = true;
    slot->entry.demand_fetch(clock_);
    co_await fly(slot);
    slot->demanded = false;
    look.outcome = slot->outcome;
  }
  look.finding = work_.finding(*slot);
  release(slot);
  co_return look;
}

Task<Result<StsPurged>> StsOperator::purge(Domain domain) {
  const auto owner = work_.owner();
  const StsSlotPtr slot = co_await slot_of(domain, Deadline::min());
  if (!slot->loaded) co_return failure("{}", slot->load_error);
  StsPurged purged;
  purged.known = slot->kept || slot->entry.has_stored();
  if (slot->entry.has_policy(clock_)) {
    purged.mode = slot->entry.policy()->mode;
    purged.expires = slot->entry.memory().policy.value_or(StoredPolicy{}).expires;
  }
  // A lookup under way goes on for those who wait for it, and leaves no trace.
  slot->purged = true;
  slots_.drop(slot);
  troubles_.erase(domain);
  const Result<void> gone = co_await store_.erase(domain);
  if (!gone) co_return tl::unexpected(gone.error());
  store_.taken_back(domain, clock_.wall());
  // A question that came meanwhile may have found the old row, or written one that is gone now.
  if (const StsSlotPtr later = slots_.find(domain.text()); later && later->kept) {
    later->purged = true;
    slots_.drop(later);
  }
  co_return purged;
}

/// Why the policy is not taken in the place of what is known.
std::optional<Imported> StsOperator::objection(const StsEntry& entry, const StsPolicy& policy,
                                               const StoredPolicy& offered) const {
  const auto now = clock_.wall();
  if (offered.expires <= now) return Imported::expired;
  // One that has run out is there until a fetch was tried: nothing is given up before.
  const StsPolicy* held = entry.policy();
  if (held != nullptr && strength(policy.mode) < strength(held->mode)) return Imported::weaker;
  if (!entry.memory().policy) return std::nullopt;  // none, or max_age 0: over in minutes
  const StoredPolicy& known = *entry.memory().policy;
  if (offered.fetched <= known.fetched) return Imported::not_newer;
  if (entry.has_policy(clock_) && offered.expires < known.expires) return Imported::shorter;
  return std::nullopt;
}

Task<Imported> StsOperator::import(StsImport what) {
  const auto owner = work_.owner();
  const Result<StsPolicy> policy = parse_sts_policy(what.policy.body);
  if (!policy || policy->max_age == std::chrono::seconds{0}) co_return Imported::invalid;
  const Deadline until = std::chrono::steady_clock::now() + kImportPatience;
  const StsSlotPtr slot = co_await slot_of(what.domain, until);
  if (slot->in_flight) co_return Imported::busy;
  if (!slot->loaded) co_return Imported::not_stored;

  // Its life is what it says of itself, whatever the line says.
  StoredPolicy offered = std::move(what.policy);
  if (offered.fetched > clock_.wall() + kImportClockSlack) {
    release(slot);
    co_return Imported::from_future;
  }
  offered.fetched = std::min(offered.fetched, clock_.wall());
  offered.expires =
      std::min(offered.expires, offered.fetched + std::max(policy->max_age, kMinPolicyLife));
  auto why = objection(slot->entry, *policy, offered);
  if (!why && what.only_new && slot->entry.has_stored()) why = Imported::known;
  if (why) {
    release(slot);
    co_return *why;
  }
  StsMemory memory = slot->entry.memory();
  if (memory.txt_id.empty()) memory.txt_id = offered.id;
  memory.policy = std::move(offered);
  memory.fetch_errors = {};
  memory.failed_id.clear();
  const auto asked = std::min(what.asked.value_or(clock_.wall()), clock_.wall());
  memory.asked = std::max(memory.asked.value_or(asked), asked);
  slot->entry = StsEntry(spread_of(what.domain.text()), std::move(memory), clock_, work_.started());
  troubles_.note(what.domain, slot->entry.memory());
  slots_.recount(slot);
  const std::string problem = co_await saver_.save_now(slot, work_.store_wait, owner);
  if (!problem.empty()) {
    log(Severity::warning, "store_failed", {{"domain", what.domain.text()}, {"cause", problem}});
    if (!slot->recency) slots_.drop(slot);  // whoever was told "not-stored" offers it again
  }
  release(slot);
  co_return problem.empty() ? Imported::taken : Imported::not_stored;
}

Task<Result<std::optional<StsMemory>>> StsOperator::peek(Domain domain) {
  const auto owner = work_.owner();
  const StsSlotPtr slot = slots_.find(domain.text());
  const bool is_there =
      slot && slot->loaded &&
      (slot->kept || slot->entry.has_stored() || slot->entry.memory().fetch_errors.count > 0);
  if (is_there) co_return std::optional<StsMemory>(slot->entry.memory());
  co_return co_await store_.find(std::move(domain));
}

}  // namespace sealane

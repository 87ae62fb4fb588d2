// SPDX-License-Identifier: Apache-2.0
#include "lookup/sts_slots.h"

#include <utility>

#include "base/log.h"

namespace sealane {

StsSlotPtr StsSlots::find(const std::string& domain) const {
  const auto found = slots_.find(domain);
  return found == slots_.end() ? nullptr : found->second;
}

StsSlotPtr StsSlots::asked(const Domain& domain) {
  StsSlotPtr slot = quiet(domain);
  if (slot->recency) {
    recency_.splice(recency_.begin(), recency_, *slot->recency);
    return slot;
  }
  recency_.push_front(domain.text());
  slot->recency = recency_.begin();
  evict();
  return slot;
}

StsSlotPtr StsSlots::quiet(const Domain& domain) {
  if (StsSlotPtr known = find(domain.text())) return known;
  auto slot = std::make_shared<StsSlot>(domain);
  slots_.emplace(domain.text(), slot);
  return slot;
}

void StsSlots::evict() {
  evict_saved();
  if (is_full(kMaxUnsaved)) evict_unsaved();
}

/// Looks past no more than kMaxUnsaved domains: a question must not search a long list.
void StsSlots::evict_saved() {
  std::size_t unsaved = 0;
  auto candidate = recency_.end();
  while (candidate != recency_.begin() && is_full() && unsaved < kMaxUnsaved) {
    --candidate;
    const StsSlotPtr slot = find(*candidate);
    if (slot->unsaved) ++unsaved;
    if (candidate == recency_.begin() || slot->in_flight || slot->unsaved) continue;
    ++candidate;  // stays valid when the slot's own place goes
    drop(slot);
  }
}

/// Memory is bounded, whatever the store does.
void StsSlots::evict_unsaved() {
  auto candidate = recency_.end();
  while (candidate != recency_.begin() && is_full(kMaxUnsaved)) {
    --candidate;
    const StsSlotPtr slot = find(*candidate);
    if (candidate == recency_.begin() || slot->in_flight) continue;
    ++candidate;
    if (slot->unsaved && !std::exchange(told_of_loss_, true)) {
      log(Severity::alarm, "store_failed",
          {{"domain", slot->domain.text()},
           {"cause", "memory is full of domains that the store does not take: the oldest go"}});
    }
    drop(slot);
  }
}

void StsSlots::recount(const StsSlotPtr& slot) {
  if (!holds(slot)) return;  // evicted meanwhile
  octets_ -= slot->octets;
  slot->octets = slot->entry.octets();
  octets_ += slot->octets;
  evict();
}

void StsSlots::landed(const StsSlotPtr& slot, bool wanted) {
  recount(slot);
  if (!holds(slot) || slot->recency) return;
  if (!wanted && !slot->unsaved) return drop(slot);
  recency_.push_back(slot->domain.text());
  slot->recency = std::prev(recency_.end());
  evict();
}

void StsSlots::drop(const StsSlotPtr& slot) {
  if (!holds(slot)) return;
  octets_ -= slot->octets;
  slot->octets = 0;
  if (slot->recency) recency_.erase(*slot->recency);
  slot->recency.reset();
  slots_.erase(slot->domain.text());
}

}  // namespace sealane

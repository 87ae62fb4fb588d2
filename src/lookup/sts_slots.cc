// SPDX-License-Identifier: Apache-2.0
#include "lookup/sts_slots.h"

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
  auto candidate = recency_.end();
  while (candidate != recency_.begin() &&
         (recency_.size() > max_domains_ || octets_ > max_octets_)) {
    --candidate;
    const StsSlotPtr slot = find(*candidate);
    if (candidate == recency_.begin() || slot->in_flight) continue;
    ++candidate;  // stays valid when the slot's own place goes
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
  if (!wanted) return drop(slot);
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

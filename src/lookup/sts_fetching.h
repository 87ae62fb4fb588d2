// SPDX-License-Identifier: Apache-2.0
// How StsLookup comes by a policy: from another node or from the policy host, and what follows from
// it, or from a failure.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "base/task.h"
#include "lookup/clock.h"
#include "lookup/network_health.h"
#include "lookup/policy_fetcher.h"
#include "lookup/policy_store.h"
#include "lookup/sts_report.h"
#include "lookup/sts_saver.h"
#include "lookup/sts_slots.h"

namespace sealane {

/// Part of an StsLookup, whose flights hold it.  Lives on the lookup thread.
class StsFetching {
 public:
  /// `owner`: to be held until what is written has been written.
  StsFetching(PolicyFetcher& fetcher, PolicyStore& store, const Clock& clock, NetworkHealth& health,
              StsSaver& saver, StsReport& report, std::chrono::milliseconds store_wait,
              std::function<std::shared_ptr<void>()> owner)
      : fetcher_(fetcher),
        store_(store),
        clock_(clock),
        health_(health),
        saver_(saver),
        report_(report),
        store_wait_(store_wait),
        owner_(std::move(owner)) {}

  bool has_room_for_refresh() const;
  /// Fetches if TXT record or age say so.  A refresh that finds no room is left to the refresher,
  /// which comes back.
  Task<> fetch_if_due(StsSlotPtr slot);
  /// What another node knows is no first contact that could be denied to us.
  Task<> look_elsewhere(StsSlotPtr slot);
  /// Nothing is begun, and nobody judged, from now on.
  void close() { closed_ = true; }

 private:
  bool waits(StsSlot& slot) const;
  Task<> fetch(StsSlotPtr slot);
  Task<> fetch_here(StsSlotPtr slot, bool awaited);
  Task<> accept(StsSlotPtr slot, FetchedBody body);
  Task<bool> take_over(StsSlotPtr slot, StoredPolicy policy);
  Task<> keep(StsSlotPtr slot, StsChange change, std::string old_id);
  void refuse(const StsSlotPtr& slot, const FetchVerdict& verdict);
  void judge_failure(const StsSlotPtr& slot, const FetchFailure& failure);

  PolicyFetcher& fetcher_;
  PolicyStore& store_;
  const Clock& clock_;
  NetworkHealth& health_;
  StsSaver& saver_;
  StsReport& report_;
  const std::chrono::milliseconds store_wait_;
  const std::function<std::shared_ptr<void>()> owner_;
  std::size_t refreshing_ = 0;  ///< fetches that nobody waits for
  std::size_t awaited_ = 0;     ///< fetches that somebody may wait for
  bool closed_ = false;
};

}  // namespace sealane

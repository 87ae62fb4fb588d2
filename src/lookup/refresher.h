// SPDX-License-Identifier: Apache-2.0
// Renews stored policies without being asked, so that the memory of a first contact does not wear
// out (RFC 8461 10.2), and lets go of those that nobody asks for.
//
// The store is the schedule.  A walk over it, page by page, computes when each policy is due and
// notes those that are due before the walk may come by again; nothing else is kept.  A million
// policies cost the memory of those due within twenty minutes (some 14,000, at most kMaxAgenda)
// and, each ten minutes, the reading of all rows: 1.2 s of CPU over eight minutes.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "lookup/clock.h"
#include "lookup/policy_store.h"
#include "lookup/sts_lookup.h"

namespace sealane {

/// Rows a page: a page of the largest policies is 16 MiB, and holds the store up for a millisecond.
inline constexpr std::size_t kPageRows = 256;
/// Rows a second: a million take eight minutes.
inline constexpr std::size_t kRowsPerTick = 2048;
/// Policies noted as due; the walk waits while there are more.
inline constexpr std::size_t kMaxAgenda = 50'000;
/// When a fetch failed because of us, no other is tried this long.
inline constexpr std::chrono::minutes kOwnFaultRest{1};

struct RefresherLimits {
  /// A walk begins this long after the one before began, or when that has ended.
  std::chrono::seconds walk_every{600};
};

struct RefresherCounters {
  std::uint64_t walks = 0;      ///< over the whole store
  std::uint64_t good = 0;       ///< policies renewed
  std::uint64_t failed = 0;     ///< at the other side
  std::uint64_t forgotten = 0;  ///< rows that nobody needs any more
};

/// Lives on the lookup thread; the parts must outlive the work under way.
class Refresher {
 public:
  Refresher(boost::asio::any_io_executor lookup, StsLookup& sts, PolicyStore& store,
            const Clock& clock, RefresherLimits limits = {});
  ~Refresher();

  /// Walks on and begins what is due.  Call once a second.
  void tick();

  /// Begins nothing more.
  void close();

  const RefresherCounters& counters() const;
  /// Policies noted as due soon.
  std::size_t agenda() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace sealane

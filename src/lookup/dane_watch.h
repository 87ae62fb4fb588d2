// SPDX-License-Identifier: Apache-2.0
// Notices when what DANE promises of a domain changes: the class, the TLSA records, or that they
// are gone.  "Could not find out" is no change.
//
// It remembers only domains that have DANE, in memory and in the store, so that a restart neither
// hides a change nor invents one.  Every answer that was looked up passes here: memory alone is
// asked, and the store is written when something changed, or once a day.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>

#include "base/task.h"
#include "lookup/clock.h"
#include "lookup/event.h"
#include "lookup/policy_store.h"
#include "policy/dane.h"
#include "policy/next_hop.h"

namespace sealane {

/// Domains remembered at most: 25 MB with a usual number of hosts.  Newcomers find no place then.
inline constexpr std::size_t kMaxDaneWatched = 50'000;
/// What was not asked for in this time makes room.
inline constexpr std::chrono::hours kDaneUnseen{90 * 24};
/// How exactly the store knows when a domain was seen.
inline constexpr std::chrono::hours kDaneSeenPrecision{24};

/// Lives on the lookup thread.
class DaneWatch {
 public:
  DaneWatch(boost::asio::any_io_executor lookup, PolicyStore& store, const Clock& clock,
            EventSink& events);
  ~DaneWatch();

  /// Reads what the store remembers; until that is done, nothing is compared.  Call once.
  void start();

  /// A destination was looked up.  Only a domain's MX hosts at port 25 count.  Returns at once.
  void note(const NextHop& next_hop, const DaneFinding& finding);

  std::size_t watched() const;
  /// What is remembered of a domain; nullopt: it had no DANE, or was not asked for.
  std::optional<DaneMemory> known(const Domain& domain) const;
  /// Whether it was there.  The next answer is no change.
  bool forget(const Domain& domain);

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

/// The TLSA records of all hosts as one text that does not depend on their order.
std::string tlsa_text(const DaneFinding& finding);

}  // namespace sealane

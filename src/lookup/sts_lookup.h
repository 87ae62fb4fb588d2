// SPDX-License-Identifier: Apache-2.0
// What is known of a domain's MTA-STS policy, and the work to know it better: the TXT record, the
// HTTPS fetch, the stored policy (RFC 8461).  A policy once fetched outlives every failure until
// its own expiry; only a good fetch replaces or prolongs it.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <cstdint>
#include <memory>

#include "base/task.h"
#include "lookup/clock.h"
#include "lookup/policy_fetcher.h"
#include "lookup/policy_store.h"
#include "lookup/resolver.h"
#include "lookup/waiting.h"
#include "policy/sts_finding.h"

namespace sealane {

struct StsLimits {
  /// A known policy is used without waiting longer for the TXT record than this.
  std::chrono::milliseconds txt_wait{5'000};
  /// A known policy is used without waiting longer for the fetch of a new id than this, and a
  /// first contact answers "pending" after it.
  std::chrono::milliseconds fetch_wait{20'000};
  /// An answer waits at most this long for a new policy to be durable.
  std::chrono::milliseconds store_wait{5'000};
  /// Domains kept in memory; those asked for least lately go first (they stay in the store).
  std::size_t max_domains = 100'000;
  /// Octets of policy text kept in memory.
  std::size_t max_octets = 128 * 1024 * 1024;
};

struct StsCounters {
  std::uint64_t fetches = 0;
  std::uint64_t fetch_failures = 0;
  std::uint64_t downgrades = 0;   ///< a policy became weaker or vanished
  std::uint64_t not_durable = 0;  ///< answers that could not wait for the store
};

/// Lives on the lookup thread.
class StsLookup {
 public:
  StsLookup(boost::asio::any_io_executor lookup, Resolver& resolver, PolicyFetcher& fetcher,
            PolicyStore& store, const Clock& clock, StsLimits limits = {});
  ~StsLookup();

  /// The finding, as good as it gets before `deadline`; the work goes on afterwards.
  Task<StsFinding> find(Domain domain, Deadline deadline);

  /// What memory and store say, without a question to the network (null MX, NXDOMAIN).
  Task<StsFinding> find_known(Domain domain);

  /// Does what has become due: TXT retries, the second fetch after a new id.  Call once a second.
  void tick();

  /// Stops all work of its own; questions under way still end.
  void close();

  const StsCounters& counters() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace sealane

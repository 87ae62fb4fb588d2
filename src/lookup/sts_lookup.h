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
#include "lookup/event.h"
#include "lookup/policy_fetcher.h"
#include "lookup/policy_store.h"
#include "lookup/resolver.h"
#include "lookup/sts_operator.h"
#include "lookup/sts_report.h"
#include "lookup/sts_troubles.h"
#include "lookup/sts_view.h"
#include "lookup/tlsrpt_reporter.h"
#include "lookup/waiting.h"
#include "policy/sts_finding.h"

namespace sealane {

/// Fetches at a time that nobody waits for: a quarter of the fetcher's 128 slots.
inline constexpr std::size_t kMaxRefreshes = 32;
/// None begins while so many fetches are under way that somebody waits for: with those of above,
/// the 128 slots are full, and a first contact goes first.
inline constexpr std::size_t kBusyFetches = 96;
/// The agenda of this class has what is due so soon; the refresher has the rest.
inline constexpr std::chrono::minutes kSoon{20};
/// A wall clock that differs from the steady one by more was set.
inline constexpr std::chrono::hours kClockJump{1};

/// On whose behalf a domain is asked for; the later, the more of it is reported to the domain.
enum class AskedFor {
  people,       ///< nothing
  before_mail,  ///< a fetch that failed; the MTA asks again for the mail itself, if it takes it
  mail,
};

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

/// Lives on the lookup thread.
class StsLookup {
 public:
  StsLookup(boost::asio::any_io_executor lookup, Resolver& resolver, PolicyFetcher& fetcher,
            PolicyStore& store, const Clock& clock, StsLimits limits = {},
            EventSink* events = nullptr, TlsrptReporter* tlsrpt = nullptr);
  ~StsLookup();

  /// The finding, as good as it gets before `deadline`; the work goes on afterwards.
  Task<StsFinding> find(Domain domain, Deadline deadline, AskedFor whom = AskedFor::mail);

  /// What memory and store say, without a question to the network (null MX, NXDOMAIN).
  Task<StsFinding> find_known(Domain domain);

  /// What lies behind the finding that find() has just given.  `ask_txt`: with the text of the TXT
  /// record, which the resolver still remembers.
  Task<StsView> view(Domain domain, bool ask_txt);

  /// Looks again, whatever is known and however fresh it is, and changes nothing: neither memory
  /// nor store, counters, history or log.
  Task<StsSight> look_again(Domain domain);

  /// Looks at TXT and policy of a domain of the store if that is due, and returns when it has been
  /// done.  Not a question: it takes nobody's place in memory.
  Task<Refreshed> refresh(Domain domain);

  /// A policy that is over and that nobody asks for leaves memory and store.
  Task<> forget(Domain domain);

  /// Whether another fetch that nobody waits for may begin: see kMaxRefreshes.
  bool has_room_for_refresh() const;

  /// Does what has become due: TXT retries, the second fetch after a new id, short-lived policies;
  /// and watches the wall clock.  Call once a second.
  void tick();

  /// Since when we run; or since the wall clock was set, which makes all ages doubtful.
  StsEntry::Steady started() const;

  /// Stops all work of its own; questions under way still end.
  void close();

  /// Nothing in memory waits for a store that works.  Looks at all that is in memory.
  bool is_all_stored() const;

  const StsCounters& counters() const;

  /// What an operator may do.
  StsOperator& operations();
  /// What fails now.
  StsTroubles& troubles();

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace sealane

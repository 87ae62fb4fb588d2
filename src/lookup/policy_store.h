// SPDX-License-Identifier: Apache-2.0
// Port: the memory of first contact.  It survives restarts and is never silently empty.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/task.h"
#include "lookup/error_streak.h"
#include "lookup/event.h"
#include "policy/dane.h"
#include "policy/domain.h"

namespace sealane {

/// A policy as it was fetched.  Times are wall-clock times.
struct StoredPolicy {
  std::string id;    ///< of the TXT record that was valid when it was fetched; may be empty
  std::string body;  ///< exactly as fetched
  std::chrono::sys_seconds fetched;
  std::chrono::sys_seconds expires;  ///< fetched + max_age
  friend bool operator==(const StoredPolicy&, const StoredPolicy&) = default;
};

/// All that is remembered of one policy domain.
struct StsMemory {
  std::optional<StoredPolicy> policy;
  std::string txt_id;  ///< id of the TXT record seen last, empty = none seen
  std::optional<std::chrono::sys_seconds> none_since;  ///< last definite "no record", if newest
  ErrorStreak txt_errors;
  ErrorStreak fetch_errors;
  std::string failed_id;                          ///< the id whose fetch failed last
  std::optional<std::chrono::sys_seconds> asked;  ///< the last question by an MTA
  friend bool operator==(const StsMemory&, const StsMemory&) = default;

  /// A domain without a policy and without trouble leaves no trace: the store is not for a list of
  /// everybody one ever wrote to.
  bool worth_keeping() const { return policy || txt_errors.count > 0; }
};

struct StoreStats {
  std::uint64_t domains = 0;
  std::uint64_t policies = 0;
};

/// Events kept of one domain; the oldest go first.
inline constexpr std::size_t kMaxEventsPerDomain = 50;
/// Events kept in all: some 20 MB.
inline constexpr std::size_t kMaxEvents = 100'000;
/// Octets of each text of an event.  Longer ones are not stored.
inline constexpr std::size_t kMaxEventText = 1024;

struct StoredEvent {
  std::uint64_t id = 0;  ///< ascending in the order of arrival
  Event event;
};

/// What DANE said of a domain when it was last asked; only of domains that have it.
struct DaneMemory {
  DaneClass value = DaneClass::all;
  std::string tlsa;  ///< the TLSA records of its hosts in a canonical form
  std::chrono::sys_seconds seen;
  friend bool operator==(const DaneMemory&, const DaneMemory&) = default;
};

/// A fetch that is about to begin.
struct FetchPlan {
  std::optional<StoredPolicy> known;  ///< what this node has
  std::string id;                     ///< of the TXT record now; empty: any
  bool awaited = false;               ///< an answer may wait for it
};

/// What other nodes that share their policies with this one have done.
struct Elsewhere {
  std::optional<StoredPolicy> policy;  ///< makes the fetch unnecessary
  bool under_way = false;              ///< another one is fetching; it is too early to try again
};

/// Called from the lookup thread; does its work on a thread of its own and completes on the
/// caller's.  A failed Result is our fault, never "there is none".
class PolicyStore {
 public:
  virtual ~PolicyStore() = default;
  /// nullopt: nothing is known of this domain.
  virtual Task<Result<std::optional<StsMemory>>> find(Domain domain) = 0;
  /// Completes when the memory is durable.
  virtual Task<Result<void>> put(Domain domain, StsMemory memory) = 0;
  virtual Task<Result<void>> erase(Domain domain) = 0;
  /// Up to `limit` domains after `after` (empty: from the first), in order of name.
  virtual Task<Result<std::vector<std::pair<Domain, StsMemory>>>> walk(std::string after,
                                                                       std::size_t limit) = 0;
  virtual Task<Result<StoreStats>> stats() = 0;
  /// Asked before a fetch.  A store that is not shared knows of nobody else.
  virtual Task<Elsewhere> elsewhere(Domain domain, FetchPlan plan) = 0;
  /// The owner of the domain, or an operator, took back what was fetched up to `when`: others are
  /// not to take it over any more.  Returns at once; call it when the memory is durable.
  virtual void taken_back(Domain domain, std::chrono::sys_seconds when) = 0;

  /// Keeps at most kMaxEventsPerDomain of its domain and kMaxEvents in all.
  virtual Task<Result<void>> add_event(Event event) = 0;
  /// Up to `limit` events with ids above `after`, in order; of one domain, or of all.
  virtual Task<Result<std::vector<StoredEvent>>> events(std::optional<Domain> domain,
                                                        std::size_t limit, std::uint64_t after) = 0;
  /// Without a memory, forgets the domain.
  virtual Task<Result<void>> put_dane(Domain domain, std::optional<DaneMemory> memory) = 0;
  /// Up to `limit` domains after `after` (empty: from the first), in order of name.
  virtual Task<Result<std::vector<std::pair<Domain, DaneMemory>>>> walk_dane(std::string after,
                                                                             std::size_t limit) = 0;
};

}  // namespace sealane

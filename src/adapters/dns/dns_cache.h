// SPDX-License-Identifier: Apache-2.0
// What was found out, for as long as it may be used (decision.md 8).  Pure: times are arguments.
#pragma once

#include <chrono>
#include <cstddef>
#include <list>
#include <optional>
#include <string>
#include <unordered_map>

#include "lookup/resolver.h"

namespace sealane {

using SteadyTime = std::chrono::steady_clock::time_point;

inline constexpr std::size_t kMaxCacheEntries = 100'000;
/// Octets of all replies together, roughly: a hostile zone can fill 64 KiB with one TXT set.
inline constexpr std::size_t kMaxCacheOctets = 64 * 1024 * 1024;

inline constexpr std::chrono::seconds kMaxLife{3600};         ///< of any answer
inline constexpr std::chrono::seconds kMinNegativeLife{30};   ///< spares lame and hasty zones
inline constexpr std::chrono::seconds kMinPolicyTxtLife{60};  ///< `_mta-sts`: asked for every mail
/// Life of the first, second, … error in a row of one question.
inline constexpr std::chrono::seconds kErrorLives[] = {
    std::chrono::seconds{30}, std::chrono::seconds{60}, std::chrono::seconds{120},
    std::chrono::seconds{300}};
/// An error is the first again when nobody asked for this long after the last one ran out.
inline constexpr std::chrono::seconds kErrorMemory{600};
/// Faults of our own are forgotten at once: mail must not wait when the resolver is back, and the
/// second keeps a busy domain from asking for each message.
inline constexpr std::chrono::seconds kOwnFaultLife{1};

/// Replies by question, the least recently used one leaving first.  Not thread-safe.
class DnsCache {
 public:
  explicit DnsCache(std::size_t max_entries = kMaxCacheEntries,
                    std::size_t max_octets = kMaxCacheOctets)
      : max_entries_(max_entries), max_octets_(max_octets) {}

  /// A reply that may still be used; its `ttl` is what remains.
  std::optional<DnsReply> find(const Domain& name, RrType type, SteadyTime now);

  /// Keeps a fresh reply, and returns it with the `ttl` that the rules give it: 0 = not kept, to be
  /// used once.
  DnsReply put(const Domain& name, RrType type, DnsReply reply, SteadyTime now);

  /// How long a fresh reply would be kept that is the first to its question.
  static std::chrono::seconds life(const Domain& name, RrType type, const DnsReply& reply);

  std::size_t entries() const { return used_.size(); }
  std::size_t octets() const { return octets_; }

 private:
  struct Entry {
    std::string key;
    DnsReply reply;
    SteadyTime expires;
    std::size_t errors = 0;  ///< in a row
    std::size_t octets = 0;
  };
  using Place = std::list<Entry>::iterator;

  std::chrono::seconds error_life(const Entry* before, SteadyTime now, std::size_t& errors) const;
  void erase(Place place);
  void evict();

  std::size_t max_entries_;
  std::size_t max_octets_;
  std::size_t octets_ = 0;
  std::list<Entry> used_;  ///< most recently used first
  std::unordered_map<std::string, Place> places_;
};

}  // namespace sealane

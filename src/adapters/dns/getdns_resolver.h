// SPDX-License-Identifier: Apache-2.0
// The Resolver port over getdns: a stub that asks validating resolvers on this host and believes
// their AD bit as long as they prove that they validate.
#pragma once

#include <array>
#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/dns/name_servers.h"
#include "base/result.h"
#include "lookup/clock.h"
#include "lookup/resolver.h"

namespace sealane {

inline constexpr std::size_t kMaxInFlight = 2048;      ///< lookups; a UDP socket each
inline constexpr std::size_t kMaxInFlightPerKey = 64;  ///< lookups on behalf of one next-hop
inline constexpr std::size_t kMaxWaitingLookups = 16'384;
inline constexpr std::chrono::milliseconds kQueuePatience{5'000};
/// From the first packet of a lookup to its end.
inline constexpr std::chrono::milliseconds kLookupBudget{10'000};
/// How long each packet of a lookup may take, over all upstreams: a lost one is repeated soon, a
/// slow name gets its time, and a second is left to find out whose fault it is.
using Patience = std::array<std::chrono::milliseconds, 3>;
inline constexpr Patience kLookupPatience{std::chrono::milliseconds{2'000},
                                          std::chrono::milliseconds{3'000},
                                          std::chrono::milliseconds{4'000}};

/// Whose AD bit counts.
enum class TrustAd {
  loopback,  ///< that of resolvers on this host; others are refused as upstreams
  always,    ///< anyone's: the operator vouches for the way to them
  never,     ///< nobody's: everything counts as insecure, DANE is off
};

struct ResolverOptions {
  std::vector<NameServer> upstreams;  ///< in order of preference
  TrustAd trust_ad = TrustAd::loopback;
  std::optional<Domain> bogus_canary;  ///< a name whose signatures are wrong on purpose
  Patience patience = kLookupPatience;
};

struct UpstreamReport {
  NameServer server;
  bool passed = false;
  std::string text;  ///< one line for the operator: "127.0.0.1: validates DNSSEC", or what is wrong
};

struct SelfTestReport {
  std::vector<UpstreamReport> upstreams;
  bool any_passed() const;
  bool all_passed() const;
};

struct ResolverStatus {
  TrustAd trust_ad = TrustAd::loopback;
  std::vector<UpstreamReport> upstreams;  ///< as of the last self-test
  std::size_t cache_entries = 0;
  std::size_t cache_octets = 0;
  std::size_t in_flight = 0;
  std::size_t waiting = 0;
  std::uint64_t questions = 0;  ///< asked of the port
  std::uint64_t cache_hits = 0;
  std::uint64_t joined = 0;      ///< waited for a lookup under way
  std::uint64_t failures = 0;    ///< lookups that failed at the other side
  std::uint64_t own_faults = 0;  ///< lookups that failed on our side
  std::uint64_t queries = 0;     ///< packets, self-tests included
  std::uint64_t unanswered = 0;  ///< of them
};

/// Lives on the lookup thread: everything is called there.  ask() joins questions under way and is
/// safe to cancel.
class GetdnsResolver : public Resolver {
 public:
  /// Fails, with a text for the operator, if there is no upstream that `trust_ad` admits or getdns
  /// cannot be set up.  `clock` must outlive every task.
  static Result<std::unique_ptr<GetdnsResolver>> create(boost::asio::any_io_executor executor,
                                                        const Clock& clock,
                                                        ResolverOptions options);
  /// Closes.
  ~GetdnsResolver() override;

  Task<DnsReply> ask(DnsQuestion question) override;

  /// Tests every upstream now.
  Task<SelfTestReport> self_test();
  ResolverStatus status() const;

  /// Ends all lookups as failed; later ones fail at once.  The executor runs dry after it.  May be
  /// called from any coroutine or handler, and twice.
  void close();

 private:
  struct Impl;
  explicit GetdnsResolver(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace sealane

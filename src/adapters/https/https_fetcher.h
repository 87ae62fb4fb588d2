// SPDX-License-Identifier: Apache-2.0
// Fetches policy files over HTTPS (RFC 8461, section 3.3).
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "adapters/https/fetch_slots.h"
#include "base/result.h"
#include "lookup/policy_fetcher.h"
#include "lookup/resolver.h"

namespace sealane {

/// Time for one TCP connection to come about.
inline constexpr std::chrono::seconds kConnectBudget{10};
/// Time for a whole fetch, waiting for a slot not counted (RFC 8461 3.3 suggests one minute).
inline constexpr std::chrono::seconds kFetchBudget{60};
/// How long a fetch may hold a slot of the fast pool.
inline constexpr std::chrono::seconds kFastTime{5};
/// Addresses tried for one policy host: with this many, each still gets more than seven seconds.
inline constexpr std::size_t kMaxAddresses = 8;

struct HttpsOptions {
  std::string ca_file;                       ///< PEM; empty = the system's bundle
  std::vector<std::string> allow_addresses;  ///< see AddressFilter::create()
  /// "host:port" of a proxy that understands CONNECT; empty = none.  It resolves the policy host,
  /// so the address filter does not apply to that.
  std::string proxy;
  SlotLimits slots;
  std::uint16_t port = 443;  ///< another one only for tests: RFC 8461 knows no other
  std::chrono::milliseconds connect_budget = kConnectBudget;
  std::chrono::milliseconds total_budget = kFetchBudget;
  std::chrono::milliseconds fast_time = kFastTime;
};

/// One thread: that of `executor`.  The addresses of a host are tried in turn, IPv6 and IPv4
/// alternating, until one has completed a TLS handshake; that one's answer counts.  An address may
/// use its share of the time that is left, so that one which swallows packets leaves time to the
/// others.
class HttpsFetcher : public PolicyFetcher {
 public:
  /// Fails, saying why, if the CA file holds no certificate or an option cannot be read.
  /// `resolver` must outlive every fetch.
  static Result<std::unique_ptr<HttpsFetcher>> create(boost::asio::any_io_executor executor,
                                                      Resolver& resolver, HttpsOptions options);
  ~HttpsFetcher() override;

  Task<Fetched> fetch(Domain policy_domain, bool fresh = false) override;

  /// Reads the CA file again for all connections made from now on; on failure the old ones stay.
  Result<void> reload_ca();

  /// Ends every fetch with an own fault, now and from now on.  Then let the executor run dry.
  void close();

 private:
  class Impl;
  explicit HttpsFetcher(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;  // also held by the fetches under way
};

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
// How often a client may ask: a token bucket a client, in a table that does not grow.
// No network, no lock: lives on the thread that serves.
#pragma once

#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "lookup/clock.h"

struct sockaddr_storage;

namespace sealane {

/// A client that was silent may ask at once what it could have asked in this time: a queue run
/// comes in bursts.
inline constexpr std::chrono::seconds kRateSaved{5};
/// Clients remembered at a time, some 2 MB.  Only those are that asked within kRateSaved.
inline constexpr std::size_t kMaxRatedClients = 16'384;

/// What counts as one client: an IPv4 address, or the /64 of an IPv6 address, whose host may take
/// as many addresses there as it likes.
struct ClientNetwork {
  bool is_v6 = false;
  std::uint64_t bits = 0;  ///< the address, or its first half, in the order of its octets
  friend auto operator<=>(const ClientNetwork&, const ClientNetwork&) = default;
};

/// Whether both are in one /48 of IPv6, as many sites have; an IPv4 address is a site of its own.
bool is_same_site(const ClientNetwork& one, const ClientNetwork& other);

/// An IPv4 address that is mapped into IPv6 counts as itself.  Nothing for other families.
std::optional<ClientNetwork> client_network(const sockaddr_storage& name);
/// Of whoever is at the other end of a connected socket; nothing on a unix socket.
std::optional<ClientNetwork> client_network(int descriptor);

class RateLimiter {
 public:
  /// `clock` must outlive it.  `per_second`: requests, 1 at least.
  RateLimiter(const Clock& clock, std::uint32_t per_second, std::size_t clients = kMaxRatedClients);

  /// One request.  Nothing: it may be served.  Else it may not, does not count, and another one
  /// may after this time, which is a second at least.
  std::optional<std::chrono::seconds> take(const ClientNetwork& client);

  std::size_t clients() const { return settled_.size(); }

 private:
  using Time = std::chrono::steady_clock::time_point;

  const Clock& clock_;
  const std::chrono::nanoseconds cost_;  ///< of one request
  const std::size_t most_clients_;
  // When each client has worked off all that it asked; whoever has is not kept.
  std::map<ClientNetwork, Time> settled_;
  std::set<std::pair<Time, ClientNetwork>> by_time_;
};

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
#include "server/rate_limiter.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <span>

namespace sealane {
namespace {

std::uint64_t bits_of(std::span<const std::uint8_t> octets) {
  std::uint64_t bits = 0;
  for (const std::uint8_t octet : octets) bits = bits << 8 | octet;
  return bits;
}

}  // namespace

bool is_same_site(const ClientNetwork& one, const ClientNetwork& other) {
  constexpr int kBitsOfSubnet = 16;
  if (!one.is_v6 || !other.is_v6) return one == other;
  return one.bits >> kBitsOfSubnet == other.bits >> kBitsOfSubnet;
}

std::optional<ClientNetwork> client_network(const sockaddr_storage& name) {
  if (name.ss_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &name, sizeof v4);
    return ClientNetwork{false, ntohl(v4.sin_addr.s_addr)};
  }
  if (name.ss_family != AF_INET6) return std::nullopt;
  sockaddr_in6 v6{};
  std::memcpy(&v6, &name, sizeof v6);
  const std::span<const std::uint8_t> octets(v6.sin6_addr.s6_addr);
  if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) return ClientNetwork{false, bits_of(octets.last(4))};
  return ClientNetwork{true, bits_of(octets.first(8))};
}

std::optional<ClientNetwork> client_network(int descriptor) {
  sockaddr_storage name{};
  socklen_t size = sizeof name;
  if (::getpeername(descriptor, reinterpret_cast<sockaddr*>(&name), &size) != 0) {
    return std::nullopt;
  }
  return client_network(name);
}

RateLimiter::RateLimiter(const Clock& clock, std::uint32_t per_second, std::size_t clients)
    : clock_(clock),
      cost_(std::chrono::nanoseconds(std::chrono::seconds{1}) / std::max(per_second, 1U)),
      most_clients_(std::max(clients, std::size_t{1})) {}

std::optional<std::chrono::seconds> RateLimiter::take(const ClientNetwork& client) {
  const Time now = clock_.steady();
  while (!by_time_.empty() && by_time_.begin()->first <= now) {
    settled_.erase(by_time_.begin()->second);
    by_time_.erase(by_time_.begin());
  }

  const auto known = settled_.find(client);
  const bool makes_room = known == settled_.end() && settled_.size() >= most_clients_;
  Time settled = now;
  if (known != settled_.end()) settled = known->second;
  // Who makes room owes the least of all, and whoever takes the place takes over what is owed:
  // being forgotten frees nobody.
  if (makes_room) settled = by_time_.begin()->first;
  settled += cost_;
  if (settled - now > kRateSaved) {
    return std::chrono::ceil<std::chrono::seconds>(settled - now - kRateSaved);
  }

  if (known != settled_.end()) by_time_.erase({known->second, client});
  if (makes_room) {
    settled_.erase(by_time_.begin()->second);
    by_time_.erase(by_time_.begin());
  }
  settled_.insert_or_assign(client, settled);
  by_time_.emplace(settled, client);
  return std::nullopt;
}

}  // namespace sealane

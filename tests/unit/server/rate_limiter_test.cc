// SPDX-License-Identifier: Apache-2.0
#include "server/rate_limiter.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>

#include "fakes.h"

using namespace sealane;
using std::chrono::seconds;

namespace {

constexpr std::uint32_t kRate = 2;
constexpr int kBurst = 10;  // what kRateSaved makes of it

ClientNetwork client(std::uint64_t number) { return {false, number}; }

/// Requests that are served until one is not, `most` at most.
int served(RateLimiter& limiter, const ClientNetwork& who, int most = 1'000) {
  int count = 0;
  while (count < most && !limiter.take(who)) ++count;
  return count;
}

std::optional<ClientNetwork> network(const char* address) {
  sockaddr_storage name{};
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  v4.sin_family = AF_INET;
  v6.sin6_family = AF_INET6;
  if (::inet_pton(AF_INET, address, &v4.sin_addr) == 1) std::memcpy(&name, &v4, sizeof v4);
  if (::inet_pton(AF_INET6, address, &v6.sin6_addr) == 1) std::memcpy(&name, &v6, sizeof v6);
  return client_network(name);
}

}  // namespace

TEST_CASE("a client that was silent may send a burst, and then one request at a time") {
  FakeClock clock;
  RateLimiter limiter(clock, kRate);
  CHECK(served(limiter, client(1)) == kBurst);
  CHECK(limiter.take(client(1)) == seconds{1});
  clock.advance(seconds{1});
  CHECK(served(limiter, client(1)) == kRate);
  clock.advance(kRateSaved * 100);
  CHECK(served(limiter, client(1)) == kBurst);
}

TEST_CASE("requests that are refused cost nothing, so that who waits gets through") {
  FakeClock clock;
  RateLimiter limiter(clock, kRate);
  served(limiter, client(1));
  for (int i = 0; i < 10'000; ++i) CHECK(limiter.take(client(1)).has_value());
  clock.advance(seconds{1});
  CHECK_FALSE(limiter.take(client(1)).has_value());
}

TEST_CASE("clients do not share, and whoever owes nothing takes no room") {
  FakeClock clock;
  RateLimiter limiter(clock, kRate);
  served(limiter, client(1));
  CHECK(served(limiter, client(2)) == kBurst);
  CHECK(served(limiter, {true, 1}) == kBurst);
  CHECK(limiter.clients() == 3);
  clock.advance(kRateSaved);
  CHECK_FALSE(limiter.take(client(4)).has_value());
  CHECK(limiter.clients() == 1);
}

TEST_CASE("a full table stays as large as it is, and being pushed out of it frees nobody") {
  FakeClock clock;
  RateLimiter limiter(clock, kRate, 3);
  for (std::uint64_t number = 1; number <= 3; ++number) served(limiter, client(number));
  CHECK(limiter.clients() == 3);
  // All places are taken by clients that owe everything: a newcomer owes what it displaces.
  CHECK(limiter.take(client(4)).has_value());
  CHECK(limiter.take(client(1)).has_value());
  CHECK(limiter.clients() == 3);

  // Two that push each other out, again and again, get no more than one of them would.
  RateLimiter narrow(clock, kRate, 1);
  int taken = 0;
  for (std::uint64_t i = 0; i < 1'000; ++i) taken += narrow.take(client(i % 2)) ? 0 : 1;
  CHECK(taken == kBurst);
  CHECK(narrow.clients() == 1);
}

TEST_CASE("who owes least makes room first") {
  FakeClock clock;
  RateLimiter limiter(clock, kRate, 2);
  served(limiter, client(1));
  served(limiter, client(2), 1);
  CHECK(served(limiter, client(3)) == kBurst - 1);
  CHECK(limiter.take(client(1)).has_value());
}

TEST_CASE("no request an hour is not a rate, and the highest rate still has an end") {
  FakeClock clock;
  RateLimiter slow(clock, 0);
  CHECK(served(slow, client(1)) == 5);
  RateLimiter fast(clock, 10'000);
  CHECK(served(fast, client(1), 100'000) == 50'000);
}

TEST_CASE("a site is a /48 of IPv6, or one IPv4 address") {
  const auto same = [](const char* one, const char* other) {
    return is_same_site(network(one).value(), network(other).value());
  };
  CHECK(same("2001:db8:1:2::1", "2001:db8:1:ffff::1"));
  CHECK_FALSE(same("2001:db8:1:2::1", "2001:db8:2:2::1"));
  CHECK(same("192.0.2.1", "192.0.2.1"));
  CHECK_FALSE(same("192.0.2.1", "192.0.2.2"));
  CHECK_FALSE(same("::", "0.0.0.0"));
}

TEST_CASE("an IPv4 address is a client, and so are all IPv6 addresses of a /64") {
  CHECK(network("192.0.2.1") == ClientNetwork{false, 0xc0000201});
  CHECK(network("192.0.2.1") != network("192.0.2.2"));
  CHECK(network("::ffff:192.0.2.1") == network("192.0.2.1"));
  CHECK(network("2001:db8:1:2::1") == ClientNetwork{true, 0x20010db800010002});
  CHECK(network("2001:db8:1:2:ffff::9") == network("2001:db8:1:2::1"));
  CHECK(network("2001:db8:1:3::1") != network("2001:db8:1:2::1"));
  CHECK(network("::c000:201") != network("192.0.2.1"));
  CHECK_FALSE(network("no address").has_value());
  CHECK_FALSE(client_network(-1).has_value());
}

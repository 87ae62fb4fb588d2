// SPDX-License-Identifier: Apache-2.0
// What the tests against real resolvers share; live_world says who is where.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/dns/getdns_resolver.h"
#include "fakes.h"
#include "meddler.h"

namespace sealane {

inline const NameServer kValidating{boost::asio::ip::make_address("127.0.0.1"), 53};
inline const NameServer kGullible{boost::asio::ip::make_address("127.0.0.3"), 53};
inline const NameServer kRefusing{boost::asio::ip::make_address("127.0.0.4"), 53};
inline const NameServer kVictim{boost::asio::ip::make_address("127.0.0.6"), 53};
inline const NameServer kNobody{boost::asio::ip::make_address("127.0.0.9"), 53};

struct World {
  boost::asio::io_context io{1};
  FakeClock clock;
  std::unique_ptr<GetdnsResolver> resolver;

  explicit World(std::vector<NameServer> upstreams) { start(std::move(upstreams)); }
  World() = default;

  void start(std::vector<NameServer> upstreams) {
    ResolverOptions options;
    options.upstreams = std::move(upstreams);
    options.patience = {std::chrono::milliseconds{300}, std::chrono::milliseconds{300},
                        std::chrono::milliseconds{300}};
    auto made = GetdnsResolver::create(io.get_executor(), clock, options);
    REQUIRE(made.has_value());
    resolver = std::move(*made);
  }

  DnsReply ask(std::string_view name, RrType type, const std::string& key = "") {
    return run(resolver->ask({domain(name), type, key}), io);
  }
  std::uint64_t packets() const { return resolver->status().queries; }

  /// Asks and does not wait; the reply goes to `into`.
  void ask_later(std::string_view name, RrType type, std::vector<DnsReply>& into,
                 const std::string& key = "") {
    boost::asio::co_spawn(io, resolver->ask({domain(name), type, key}),
                          [&into](std::exception_ptr error, DnsReply reply) {
                            CHECK_FALSE(error);
                            into.push_back(std::move(reply));
                          });
  }
};

inline std::string summary(const DnsReply& reply) {
  switch (reply.status) {
    case DnsStatus::ok:
      return reply.secure ? "ok secure" : "ok insecure";
    case DnsStatus::nodata:
      return reply.secure ? "nodata secure" : "nodata insecure";
    case DnsStatus::nxdomain:
      return reply.secure ? "nxdomain secure" : "nxdomain insecure";
    case DnsStatus::failed:
      return (reply.own_fault ? "own fault: " : "failed: ") + reply.why;
  }
  return "?";
}

}  // namespace sealane

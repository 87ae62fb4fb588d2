// SPDX-License-Identifier: Apache-2.0
// DNS over TCP, for what does not fit into a packet (RFC 1035 4.2.2, RFC 7766).
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "adapters/dns/admission.h"
#include "adapters/dns/dns_message.h"
#include "adapters/dns/name_servers.h"
#include "base/task.h"

namespace sealane {

/// Connections to one resolver at a time.  Unbound has room for ten (incoming-num-tcp), and the
/// mail server beside us needs some of them.
inline constexpr std::size_t kMaxTcpQueries = 4;
inline constexpr std::size_t kMaxTcpQueriesPerKey = 2;  ///< on behalf of one next-hop
inline constexpr std::size_t kMaxWaitingTcpQueries = 1024;
/// The resolver has just had the answer: who waits longer, waits behind names that hang.
inline constexpr std::chrono::milliseconds kTcpQueuePatience{2'000};

/// Asks one resolver, on a connection of its own for each query, so that none can disturb another.
/// Not by getdns: it has all queries share a connection and, when one of them is given up, closes
/// that descriptor without forgetting its number, which may be a mail server's connection next.
/// Belongs to the executor's thread, and outlives its tasks.
class TcpQueries {
 public:
  TcpQueries(boost::asio::any_io_executor executor, const NameServer& server);

  /// Waits at most `patience` for its turn, among those of other next-hops, and for the answer;
  /// nothing if none came (timeout, no turn, refused, closed).  `name` is absolute, with the root
  /// dot, and already checked.
  Task<std::optional<DnsMessage>> query(std::string name, std::uint16_t type,
                                        std::chrono::milliseconds patience, std::string for_key);

  /// Ends all queries without an answer; further ones get nothing.
  void close();

 private:
  struct Exchange;
  Task<std::string> exchange(std::string message, std::chrono::steady_clock::time_point deadline);

  boost::asio::any_io_executor executor_;
  NameServer server_;
  Admission admission_;
  std::set<std::shared_ptr<Exchange>> under_way_;
  bool closed_ = false;
};

}  // namespace sealane

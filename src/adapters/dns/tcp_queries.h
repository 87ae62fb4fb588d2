// SPDX-License-Identifier: Apache-2.0
// DNS over TCP, for what does not fit into a packet (RFC 7766).
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "adapters/dns/dns_message.h"
#include "adapters/dns/name_servers.h"
#include "base/task.h"

namespace sealane {

/// Asks one resolver, on a connection of its own for each query, so that none can disturb another.
/// Not by getdns: it has all queries share a connection and, when one of them is given up, closes
/// that descriptor without forgetting its number, which may be a mail server's connection next.
/// Belongs to the executor's thread, and outlives its tasks.
class TcpQueries {
 public:
  TcpQueries(boost::asio::any_io_executor executor, const NameServer& server);

  /// Waits at most `patience` for the answer; nothing if none came (timeout, refused, closed).
  /// `name` is absolute, with the root dot, and already checked.
  Task<std::optional<DnsMessage>> query(std::string name, std::uint16_t type,
                                        std::chrono::milliseconds patience);

  /// Ends all queries without an answer; further ones get nothing.
  void close();

 private:
  struct Exchange;
  boost::asio::any_io_executor executor_;
  NameServer server_;
  std::set<std::shared_ptr<Exchange>> under_way_;
  bool closed_ = false;
};

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
// One getdns context: a stub that asks one resolver, one packet a query.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "adapters/dns/dns_message.h"
#include "adapters/dns/name_servers.h"
#include "base/result.h"
#include "base/task.h"

namespace sealane {

/// Belongs to the executor's thread.  Create contexts one after the other.
class GetdnsContext {
 public:
  static Result<std::unique_ptr<GetdnsContext>> create(boost::asio::any_io_executor executor,
                                                       const NameServer& server);
  ~GetdnsContext();

  /// Sends one query and waits at most `patience` for its answer, which may be a truncated one;
  /// nothing if none came (timeout, no route, no descriptor, closed).  `name` is absolute, with the
  /// root dot, and already checked.
  Task<std::optional<DnsMessage>> query(std::string name, std::uint16_t type,
                                        std::chrono::milliseconds patience);

  /// Ends all queries without an answer and gives up the context; further queries get nothing.
  /// Never to be called from inside a callback of getdns; coroutines never run there.
  void close();

 private:
  struct Impl;
  explicit GetdnsContext(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace sealane

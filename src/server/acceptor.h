// SPDX-License-Identifier: Apache-2.0
// Takes connections from listening sockets, unix and TCP alike, and hands them to a server.
// Lives on one thread; must outlive the last handler of its executor.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/task.h"
#include "server/listener.h"

namespace sealane {

/// A connection over a unix socket or TCP.
using Socket = boost::asio::generic::stream_protocol::socket;

/// How long accepting rests after an error such as "too many open files": long enough not to spin,
/// short against the 100 s that Postfix waits.
inline constexpr std::chrono::milliseconds kAcceptBackOff{100};

class Acceptor {
 public:
  /// `taken` gets every connection, non-blocking, on the executor's thread.
  Acceptor(boost::asio::any_io_executor executor, std::function<void(Socket)> taken);
  ~Acceptor();

  void start(std::vector<Listener> listeners);
  /// Stops listening and removes the socket files.
  void close();
  std::uint64_t errors() const { return errors_; }

 private:
  struct Source;
  Task<> accept(std::shared_ptr<Source> source);

  boost::asio::any_io_executor executor_;
  std::function<void(Socket)> taken_;
  std::vector<std::shared_ptr<Source>> sources_;
  std::uint64_t errors_ = 0;
};

}  // namespace sealane

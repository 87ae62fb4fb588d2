// SPDX-License-Identifier: Apache-2.0
// One connection to one address: connect, perhaps a proxy's tunnel, TLS, one request, one reply.
#pragma once

#include <array>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "adapters/https/tls_client.h"
#include "base/task.h"
#include "lookup/policy_fetcher.h"

namespace sealane {

/// The steps are to be called in the order in which they stand.  Held by a shared_ptr; a step
/// must not outlive it.  One thread.
class Conversation : public std::enable_shared_from_this<Conversation> {
 public:
  using Step = tl::expected<void, FetchFailure>;
  using Body = tl::expected<std::string, FetchFailure>;
  using Moment = std::chrono::steady_clock::time_point;

  Conversation(boost::asio::any_io_executor executor, TlsContext context);

  Task<Step> connect(boost::asio::ip::tcp::endpoint endpoint);
  /// Asks the proxy that this is connected to for `authority` ("host:port").  Its refusal is an own
  /// fault: it says nothing certain about the policy domain.
  Task<Step> open_tunnel(std::string authority);
  Task<Step> shake_hands(std::string host);
  Task<Body> get(std::string host, std::uint16_t port);

  /// From now on the conversation ends at `until` with "no answer within <shown>".
  void limit(Moment until, std::chrono::milliseconds shown);

  /// Ends the step that is under way, or else the next one, with this failure.
  void stop(FetchFailure why);

  /// After a failed connect(): there was no route.  Ours if no address has one.
  bool no_route() const { return no_route_; }

 private:
  FetchFailure failed_connect(const boost::system::error_code& error,
                              const boost::asio::ip::tcp::endpoint& to);

  TlsContext context_;
  TlsStream stream_;
  boost::asio::steady_timer deadline_;
  unsigned deadline_number_ = 0;
  std::string_view phase_ = "connect";
  std::optional<FetchFailure> stopped_;
  bool no_route_ = false;
  std::array<char, 16 * 1024> buffer_;  // one TLS record
};

}  // namespace sealane

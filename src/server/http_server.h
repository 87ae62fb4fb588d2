// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1 for people and scripts: connections, bounded requests, answers that stream.  What is
// answered is said by routes, which the parts of the daemon add.
//
// Lives on the serving thread; must outlive the last handler of its executor.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/task.h"
#include "server/acceptor.h"
#include "server/http_head.h"
#include "server/http_message.h"
#include "server/http_routes.h"
#include "server/rate_limiter.h"

namespace sealane {

/// Connections at a time: people and scripts, not mail.
inline constexpr std::size_t kMaxHttpConnections = 64;
/// For a request to come, for its answer, and for each piece of a long one.  A look at a domain
/// that an operator asks for ends within 90 s: TXT, and a policy host that dawdles.
inline constexpr std::chrono::seconds kHttpPatience{120};
/// A site of IPv6 has many networks: this many times the share of one client is all of it.
inline constexpr std::size_t kClientsOfSite = 2;
/// Refused connections are logged once in this time.
inline constexpr std::chrono::minutes kRefusalsToldEvery{1};
/// A stream that has nothing yet is asked again after this; a client that left is noticed then.
inline constexpr std::chrono::milliseconds kHttpPoll{300};

/// After a refusal of a body that is still coming: a client reads the response only when it has
/// sent all, or most, of it.
inline constexpr std::chrono::milliseconds kHttpLinger{2'000};
inline constexpr std::size_t kMaxHttpLinger = 16 * 1024 * 1024;  ///< octets thrown away

struct HttpLimits {
  std::size_t connections = kMaxHttpConnections;   ///< on TCP, and as many on unix sockets
  std::size_t of_client = kMaxHttpConnections;     ///< of one ClientNetwork; not on unix sockets
  std::chrono::milliseconds head = kHttpPatience;  ///< for a request's head, and until it comes
  std::chrono::milliseconds patience = kHttpPatience;  ///< for body and answer, and for each piece
};

class HttpServer {
 public:
  /// `rate`: how often clients on TCP may ask; none: as often as they like.
  explicit HttpServer(boost::asio::any_io_executor executor, HttpLimits limits = {},
                      std::unique_ptr<RateLimiter> rate = nullptr);
  ~HttpServer();

  /// Before start().
  void add(HttpRoute route) { routes_.add(std::move(route)); }
  void start(std::vector<Listener> listeners);
  /// Stops listening and closes all connections.
  void close();

 private:
  struct Connection;
  using ConnectionPtr = std::shared_ptr<Connection>;
  using Progress = HttpHeadReader::Progress;

  void take(Socket socket);
  bool has_room(const Connection& newcomer) const;
  void note_refusal();
  std::optional<HttpResponse> over_rate(const Connection& connection) const;
  void be_patient(const ConnectionPtr& connection, std::chrono::milliseconds limit) const;
  Task<> serve(ConnectionPtr connection);
  Task<bool> serve_one(ConnectionPtr connection);
  Task<bool> read_more(ConnectionPtr connection);
  Task<Progress> read_head(ConnectionPtr connection, HttpHeadReader& reader);
  Task<bool> read_body(ConnectionPtr connection, const HttpHead& head, std::string& body);
  Task<HttpResponse> answer(const HttpRoute& route, HttpRequest request) const;
  Task<bool> send(ConnectionPtr connection, std::string octets) const;
  Task<> refuse(ConnectionPtr connection, HttpResponse response);
  Task<bool> respond(ConnectionPtr connection, HttpResponse response, HttpHead head) const;
  Task<bool> stream(ConnectionPtr connection, HttpPieces pieces, bool chunked) const;

  boost::asio::any_io_executor executor_;
  const HttpLimits limits_;
  const std::unique_ptr<RateLimiter> rate_;
  HttpRoutes routes_;
  Acceptor acceptor_;
  std::unordered_set<ConnectionPtr> connections_;
  bool closing_ = false;
  std::uint64_t refused_ = 0;
  std::chrono::steady_clock::time_point quiet_until_{};
};

}  // namespace sealane

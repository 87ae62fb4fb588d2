// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1 for people and scripts: connections, bounded requests, answers that stream.  What is
// answered is said by routes, which the parts of the daemon add.
//
// Lives on the serving thread; must outlive the last handler of its executor.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/task.h"
#include "server/acceptor.h"
#include "server/http_head.h"
#include "server/http_message.h"
#include "server/http_routes.h"

namespace sealane {

/// Connections at a time: people and scripts, not mail.
inline constexpr std::size_t kMaxHttpConnections = 64;
/// For one request and its answer, for each piece of a long one, and between two.  A look at a
/// domain that an operator asks for ends within 90 s: TXT, and a policy host that dawdles.
inline constexpr std::chrono::seconds kHttpPatience{120};
/// A stream that has nothing yet is asked again after this; a client that left is noticed then.
inline constexpr std::chrono::milliseconds kHttpPoll{300};

struct HttpLimits {
  std::size_t connections = kMaxHttpConnections;
  std::chrono::milliseconds patience = kHttpPatience;
};

class HttpServer {
 public:
  explicit HttpServer(boost::asio::any_io_executor executor, HttpLimits limits = {});
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
  void be_patient(const ConnectionPtr& connection) const;
  Task<> serve(ConnectionPtr connection);
  Task<bool> serve_one(ConnectionPtr connection);
  Task<bool> read_more(ConnectionPtr connection);
  Task<Progress> read_head(ConnectionPtr connection, HttpHeadReader& reader);
  Task<bool> read_body(ConnectionPtr connection, const HttpHead& head, std::string& body);
  Task<HttpResponse> answer(const HttpRoute& route, HttpRequest request) const;
  Task<bool> send(ConnectionPtr connection, std::string octets) const;
  Task<bool> respond(ConnectionPtr connection, HttpResponse response, HttpHead head) const;
  Task<bool> stream(ConnectionPtr connection, HttpPieces pieces, bool chunked) const;

  boost::asio::any_io_executor executor_;
  const HttpLimits limits_;
  HttpRoutes routes_;
  Acceptor acceptor_;
  std::unordered_set<ConnectionPtr> connections_;
  bool closing_ = false;
};

}  // namespace sealane

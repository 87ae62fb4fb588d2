// SPDX-License-Identifier: Apache-2.0
#include "server/http_server.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <exception>
#include <optional>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "lookup/waiting.h"

namespace sealane {
namespace asio = boost::asio;
using boost::system::error_code;

namespace {

/// Octets read at a time.
constexpr std::size_t kHttpRead = 16 * 1024;

std::string_view words_of(unsigned status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 409:
      return "Conflict";
    case 411:
      return "Length Required";
    case 413:
      return "Payload Too Large";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 503:
      return "Service Unavailable";
    default:
      return "Unnamed";
  }
}

std::string head_text(const HttpResponse& response, bool keep_alive, std::string_view length) {
  const bool lines = response.pieces != nullptr;
  return fmt::format(
      "HTTP/1.1 {} {}\r\nContent-Type: application/{}\r\n{}Cache-Control: no-store\r\n"
      "Connection: {}\r\n{}\r\n",
      response.status, words_of(response.status), lines ? "x-ndjson" : "json", length,
      keep_alive ? "keep-alive" : "close", response.more_head);
}

std::optional<HttpPeer> peer_of(Socket& socket) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  const int got =
      ::getsockopt(socket.native_handle(), SOL_SOCKET, SO_PEERCRED, &credentials, &size);
  const bool is_unix = got == 0 && credentials.uid != static_cast<uid_t>(-1);
  if (!is_unix) return std::nullopt;
  return HttpPeer{credentials.uid, credentials.pid};
}

/// The client has closed, and will read nothing more.  Over TCP that looks like a client that has
/// sent all it has to send; on a unix socket it does not.
bool has_left(Socket& socket, bool is_unix) {
  pollfd look{socket.native_handle(), 0, 0};
  ::poll(&look, 1, 0);
  if ((look.revents & (POLLHUP | POLLERR)) != 0) return true;
  char octet = 0;
  return !is_unix && ::recv(look.fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

/// Why the body of a request is not read; without a route there is no use in it.
std::optional<HttpResponse> problem_of(const HttpHead& head, const HttpRoute* route) {
  if (head.chunked) return HttpResponse::error(411, "a body has a Content-Length");
  const std::size_t most = route ? route->max_body : 0;
  if (head.content_length <= most) return std::nullopt;
  if (most == 0) return HttpResponse::error(413, "no request here has a body");
  return HttpResponse::error(413,
                             fmt::format("a body has at most {} octets: send it in parts", most));
}

void log_change(const HttpRequest& request, const HttpResponse& response) {
  if (request.method == "GET") return;
  log(Severity::notice, "admin_change",
      {{"method", request.method},
       {"path", request.path},
       {"status", std::to_string(response.status)},
       {"uid", request.peer ? std::to_string(request.peer->user) : "unknown"},
       {"pid", request.peer ? std::to_string(request.peer->process) : "unknown"}});
}

}  // namespace

struct HttpServer::Connection {
  Connection(Socket taken, const asio::any_io_executor& executor)
      : socket(std::move(taken)),
        peer(peer_of(socket)),
        client(client_network(socket.native_handle())),
        deadline(executor),
        pause(executor) {}
  Socket socket;
  const std::optional<HttpPeer> peer;
  const std::optional<ClientNetwork> client;  ///< on TCP
  asio::steady_timer deadline;
  asio::steady_timer pause;
  std::string unread;
};

HttpServer::HttpServer(asio::any_io_executor executor, HttpLimits limits,
                       std::unique_ptr<RateLimiter> rate)
    : executor_(std::move(executor)),
      limits_(limits),
      rate_(std::move(rate)),
      acceptor_(executor_, [this](Socket socket) { take(std::move(socket)); }) {}

HttpServer::~HttpServer() = default;

void HttpServer::start(std::vector<Listener> listeners) { acceptor_.start(std::move(listeners)); }

void HttpServer::close() {
  closing_ = true;
  acceptor_.close();
  for (const ConnectionPtr& connection : connections_) {
    error_code ignored;
    connection->socket.close(ignored);
    connection->deadline.cancel();
    connection->pause.cancel();
  }
}

void HttpServer::take(Socket socket) {
  auto connection = std::make_shared<Connection>(std::move(socket), executor_);
  if (!has_room(*connection)) return note_refusal();
  connections_.insert(connection);
  spawn_detached(executor_, serve(connection), "http connection");
}

bool HttpServer::has_room(const Connection& newcomer) const {
  // On TCP, who has gone already has no address.
  if (!newcomer.client && !newcomer.peer) return false;
  const auto count = [this](auto is_counted) {
    return static_cast<std::size_t>(
        std::count_if(connections_.begin(), connections_.end(),
                      [&](const ConnectionPtr& other) { return is_counted(*other); }));
  };
  const std::size_t there = count([&](const Connection& other) {
    return other.client.has_value() == newcomer.client.has_value();
  });
  if (there >= limits_.connections) return false;
  if (!newcomer.client) return true;
  const std::size_t of_client =
      count([&](const Connection& other) { return other.client == newcomer.client; });
  const std::size_t of_site = count([&](const Connection& other) {
    return other.client && is_same_site(*other.client, *newcomer.client);
  });
  return of_client < limits_.of_client && of_site < kClientsOfSite * limits_.of_client;
}

void HttpServer::note_refusal() {
  ++refused_;
  const auto now = std::chrono::steady_clock::now();
  if (now < quiet_until_) return;
  quiet_until_ = now + kRefusalsToldEvery;
  log(Severity::warning, "http_refused",
      {{"cause", "too many connections"}, {"so_far", std::to_string(refused_)}});
}

/// Counts a request; the response to one too many.
std::optional<HttpResponse> HttpServer::over_rate(const Connection& connection) const {
  if (!rate_ || !connection.client) return std::nullopt;
  const auto wait = rate_->take(*connection.client);
  if (!wait) return std::nullopt;
  return HttpResponse::error(429, "too many requests",
                             fmt::format("Retry-After: {}\r\n", wait->count()));
}

void HttpServer::be_patient(const ConnectionPtr& connection,
                            std::chrono::milliseconds limit) const {
  if (closing_) return;
  connection->deadline.expires_after(limit);
  connection->deadline.async_wait([watch = std::weak_ptr(connection)](error_code cancelled) {
    const ConnectionPtr late = watch.lock();
    error_code ignored;
    if (!cancelled && late) late->socket.close(ignored);
  });
}

Task<> HttpServer::serve(ConnectionPtr connection) {
  try {
    bool keep_alive = true;
    while (keep_alive && !closing_) {
      be_patient(connection, limits_.head);
      auto serving = serve_one(connection);
      keep_alive = co_await std::move(serving);
    }
  } catch (const std::exception& error) {
    log(Severity::error, "http_threw", {{"what", error.what()}});
  }
  connection->deadline.cancel();
  connections_.erase(connection);
}

/// One request and its response.  True if another may follow.
Task<bool> HttpServer::serve_one(ConnectionPtr connection) {
  HttpHeadReader reader;
  auto reading = read_head(connection, reader);
  const Progress progress = co_await std::move(reading);
  if (progress == Progress::need_more) co_return false;
  be_patient(connection, limits_.patience);
  if (auto over = over_rate(*connection)) {
    auto refusing = refuse(connection, std::move(*over));
    co_await std::move(refusing);
    co_return false;
  }
  if (progress != Progress::done) {
    const bool large = progress == Progress::too_large;
    auto refusing =
        refuse(connection, large ? HttpResponse::error(431, "head too large")
                                 : HttpResponse::error(400, "not a request: " + reader.problem()));
    co_await std::move(refusing);
    co_return false;
  }

  const HttpHead head = reader.head();
  auto match = routes_.find(head.method, head.target);
  if (auto problem = problem_of(head, match ? match->route : nullptr)) {
    if (!match && !head.chunked) problem = std::move(match.error());
    auto refusing = refuse(connection, std::move(*problem));
    co_await std::move(refusing);
    co_return false;
  }
  HttpResponse response;
  if (match) {
    auto taking = read_body(connection, head, match->request.body);
    const bool whole = co_await std::move(taking);
    if (!whole) co_return false;
    match->request.peer = connection->peer;
    auto answering = answer(*match->route, std::move(match->request));
    response = co_await std::move(answering);
  } else {
    response = std::move(match.error());
  }
  auto responding = respond(connection, std::move(response), head);
  co_return co_await std::move(responding);
}

/// Answers a request that cannot be read to its end: what is left would be taken for another.
Task<> HttpServer::refuse(ConnectionPtr connection, HttpResponse response) {
  auto responding = respond(connection, std::move(response), HttpHead());
  co_await std::move(responding);
  error_code ignored;
  connection->socket.shutdown(Socket::shutdown_send, ignored);
  be_patient(connection, std::min<std::chrono::milliseconds>(kHttpLinger, limits_.patience));
  bool more = true;
  for (std::size_t read = 0; more && read < kMaxHttpLinger; read += kHttpRead) {
    connection->unread.clear();
    auto reading = read_more(connection);
    more = co_await std::move(reading);
  }
}

Task<bool> HttpServer::read_more(ConnectionPtr connection) {
  std::string& unread = connection->unread;
  const std::size_t before = unread.size();
  unread.resize(before + kHttpRead);
  error_code error;
  const std::size_t read =
      co_await connection->socket.async_read_some(asio::buffer(unread.data() + before, kHttpRead),
                                                  asio::redirect_error(asio::use_awaitable, error));
  unread.resize(before + read);
  co_return !error;
}

/// need_more: the connection has ended.
Task<HttpServer::Progress> HttpServer::read_head(ConnectionPtr connection, HttpHeadReader& reader) {
  for (;;) {
    const Progress progress = reader.take(connection->unread);
    if (progress != Progress::need_more) co_return progress;
    auto reading = read_more(connection);
    const bool more = co_await std::move(reading);
    if (!more) co_return Progress::need_more;
  }
}

/// False if the connection ended before the body did.
Task<bool> HttpServer::read_body(ConnectionPtr connection, const HttpHead& head,
                                 std::string& body) {
  const auto length = static_cast<std::size_t>(head.content_length);
  if (head.expects_continue && connection->unread.size() < length) {
    auto asking = send(connection, "HTTP/1.1 100 Continue\r\n\r\n");
    const bool sent = co_await std::move(asking);
    if (!sent) co_return false;
  }
  while (connection->unread.size() < length) {
    auto reading = read_more(connection);
    const bool more = co_await std::move(reading);
    if (!more) co_return false;
  }
  body = connection->unread.substr(0, length);
  connection->unread.erase(0, length);
  co_return true;
}

Task<HttpResponse> HttpServer::answer(const HttpRoute& route, HttpRequest request) const {
  HttpRequest asked;
  asked.method = request.method;
  asked.path = request.path;
  asked.peer = request.peer;
  HttpResponse response = HttpResponse::error(500, "a bug: see the log");
  try {
    auto handling = route.handler(std::move(request));
    response = co_await std::move(handling);
  } catch (const std::exception& error) {
    log(Severity::error, "http_threw", {{"path", asked.path}, {"what", error.what()}});
  }
  log_change(asked, response);
  co_return response;
}

Task<bool> HttpServer::send(ConnectionPtr connection, std::string octets) const {
  error_code error;
  co_await asio::async_write(connection->socket, asio::buffer(octets),
                             asio::redirect_error(asio::use_awaitable, error));
  co_return !error;
}

/// True if another request may follow.
Task<bool> HttpServer::respond(ConnectionPtr connection, HttpResponse response,
                               HttpHead head) const {
  const bool chunked = response.pieces && head.takes_chunks;
  const bool keep_alive = head.keep_alive && (chunked || !response.pieces);
  // A body behind the answer to HEAD would be taken for the next answer (RFC 9110 9.3.2).
  const bool head_only = head.method == "HEAD";
  std::string length = fmt::format("Content-Length: {}\r\n", response.body.size() + 1);
  if (response.pieces) length = chunked ? "Transfer-Encoding: chunked\r\n" : "";
  if (head_only) length.clear();
  std::string octets = head_text(response, keep_alive, length);
  if (!response.pieces && !head_only) octets += response.body + '\n';
  auto sending = send(connection, std::move(octets));
  bool sent = co_await std::move(sending);
  if (sent && response.pieces) {
    auto streaming = stream(connection, std::move(response.pieces), chunked);
    sent = co_await std::move(streaming);
  }
  co_return sent&& keep_alive;
}

/// True if all of it was sent.
Task<bool> HttpServer::stream(ConnectionPtr connection, HttpPieces pieces, bool chunked) const {
  while (!closing_) {
    be_patient(connection, limits_.patience);
    auto asking = pieces();
    const std::optional<std::string> piece = co_await std::move(asking);
    if (closing_) co_return false;
    if (piece && piece->empty()) {
      if (has_left(connection->socket, connection->peer.has_value())) co_return false;
      error_code woken;
      connection->pause.expires_after(kHttpPoll);
      co_await connection->pause.async_wait(asio::redirect_error(asio::use_awaitable, woken));
      continue;
    }
    std::string octets = piece.value_or("");
    if (chunked) octets = fmt::format("{:x}\r\n{}\r\n", octets.size(), octets);
    auto sending = send(connection, std::move(octets));
    const bool sent = co_await std::move(sending);
    if (!sent || !piece) co_return sent;
  }
  co_return false;
}

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
#include "server/admin_api.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/json.hpp>
#include <exception>
#include <map>
#include <optional>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "lookup/waiting.h"
#include "policy/next_hop.h"
#include "server/postfix_reply.h"

namespace sealane {
namespace asio = boost::asio;
namespace http = boost::beast::http;
namespace json = boost::json;
using boost::system::error_code;

namespace {

using Parser = http::request_parser<http::string_body>;

/// Octets read at a time.
constexpr std::size_t kAdminRead = 4 * 1024;

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    const auto octet = from_hex(text.substr(i + 1, 2));
    if (!octet || octet->size() != 1) return std::nullopt;
    out.push_back(static_cast<char>(octet->front()));
    i += 2;
  }
  return out;
}

using Parameters = std::map<std::string, std::string, std::less<>>;

/// "key=a.test&dialect=postfix".  Fails on a parameter that is given twice.
std::optional<Parameters> parse_parameters(std::string_view text) {
  Parameters parameters;
  if (text.empty()) return parameters;
  for (const std::string_view part : split(text, '&')) {
    const std::size_t equals = std::min(part.find('='), part.size());
    const auto name = percent_decoded(part.substr(0, equals));
    const auto value = percent_decoded(part.substr(std::min(equals + 1, part.size())));
    if (!name || !value || !parameters.emplace(*name, *value).second) return std::nullopt;
  }
  return parameters;
}

/// A key as it was sent if it is text, and escaped if it is not: JSON is UTF-8.
std::string shown_key(std::string_view key) {
  const bool text = is_ascii(key) || std::holds_alternative<NextHop>(parse_next_hop(key));
  return text ? std::string(key) : escape(key);
}

std::string_view first_word(std::string_view reply) { return reply.substr(0, reply.find(' ')); }

json::object counters_of(const AnswerCache& cache) {
  const CacheCounters& c = cache.counters();
  return {{"entries", cache.entries()},   {"octets", cache.octets()},
          {"under_way", cache.flights()}, {"hits", c.hits},
          {"direct", c.direct},           {"lookups", c.lookups},
          {"joined", c.joined},           {"renewals", c.renewals},
          {"overloads", c.overloads},     {"temporary", c.temporary},
          {"evicted", c.evicted}};
}

json::object counters_of(const SocketmapServer& server) {
  const SocketmapCounters& c = server.counters();
  return {{"connections", server.connections()},
          {"accepted", c.accepted},
          {"refused", c.refused},
          {"requests", c.requests},
          {"unknown_maps", c.unknown_maps},
          {"junk", c.junk},
          {"idle", c.idle},
          {"accept_errors", server.accept_errors()}};
}

}  // namespace

struct AdminApi::Connection {
  Connection(Socket taken, const asio::any_io_executor& executor)
      : socket(std::move(taken)), deadline(executor) {}
  Socket socket;
  asio::steady_timer deadline;
  std::string unread;
};

struct AdminApi::Response {
  unsigned status = 200;
  std::string body;
  std::string_view more_head = {};

  static Response error(unsigned status, std::string_view text, std::string_view more_head = {}) {
    return {status, json::serialize(json::object{{"error", text}}), more_head};
  }
  std::string octets(bool keep_alive) const {
    return fmt::format(
        "HTTP/1.1 {} {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n"
        "Cache-Control: no-store\r\nConnection: {}\r\n{}\r\n{}\n",
        status, std::string_view(http::obsolete_reason(http::int_to_status(status))),
        body.size() + 1, keep_alive ? "keep-alive" : "close", more_head, body);
  }
};

AdminApi::AdminApi(asio::any_io_executor executor, AnswerCache& cache,
                   const SocketmapServer& server, const Clock& clock,
                   std::vector<std::string> warnings)
    : executor_(std::move(executor)),
      cache_(cache),
      server_(server),
      clock_(clock),
      warnings_(std::move(warnings)),
      up_since_(clock.wall()),
      acceptor_(executor_, [this](Socket socket) { take(std::move(socket)); }) {}

AdminApi::~AdminApi() = default;

void AdminApi::start(std::vector<Listener> listeners) { acceptor_.start(std::move(listeners)); }

void AdminApi::close() {
  closing_ = true;
  acceptor_.close();
  for (const ConnectionPtr& connection : connections_) {
    error_code ignored;
    connection->socket.close(ignored);
    connection->deadline.cancel();
  }
}

void AdminApi::take(Socket socket) {
  if (connections_.size() >= kMaxAdminConnections) return;
  auto connection = std::make_shared<Connection>(std::move(socket), executor_);
  connections_.insert(connection);
  spawn_detached(executor_, serve(connection), "admin connection");
}

Task<> AdminApi::serve(ConnectionPtr connection) {
  try {
    co_await talk(connection);
  } catch (const std::exception& error) {
    log(Severity::error, "admin_threw", {{"what", error.what()}});
  }
  connection->deadline.cancel();
  connections_.erase(connection);
}

Task<> AdminApi::talk(ConnectionPtr connection) {
  Socket& socket = connection->socket;
  std::string& unread = connection->unread;
  error_code error;
  bool keep_alive = true;
  while (keep_alive && !closing_) {
    connection->deadline.expires_after(kAdminPatience);
    connection->deadline.async_wait([watch = std::weak_ptr(connection)](error_code cancelled) {
      const ConnectionPtr late = watch.lock();
      error_code ignored;
      if (!cancelled && late) late->socket.close(ignored);
    });

    Parser parser;
    parser.header_limit(kMaxAdminHead);
    error_code wrong;
    // Only the head is ever parsed: no request has a body, and Beast's parser aborts on a chunked
    // one whose end is cut off.
    while (!parser.is_header_done() && !wrong) {
      const std::size_t taken = parser.put(asio::buffer(unread), wrong);
      unread.erase(0, taken);
      if (wrong == http::error::need_more) wrong = {};
      if (parser.is_header_done() || wrong || taken > 0) continue;
      const std::size_t before = unread.size();
      unread.resize(before + kAdminRead);
      const std::size_t read =
          co_await socket.async_read_some(asio::buffer(unread.data() + before, kAdminRead),
                                          asio::redirect_error(asio::use_awaitable, error));
      unread.resize(before + read);
      if (error) co_return;
    }

    Response response = Response::error(400, "not a request: " + wrong.message());
    if (wrong == http::error::header_limit) response = Response::error(431, "head too large");
    const bool has_body = !wrong && (parser.chunked() || parser.content_length().value_or(0) > 0);
    if (has_body) response = Response::error(413, "no request has a body");
    if (!wrong && !has_body) {
      const http::request<http::string_body>& request = parser.get();
      auto responding =
          respond(std::string(request.method_string()), std::string(request.target()));
      response = co_await std::move(responding);
    }
    keep_alive = !wrong && !has_body && parser.get().keep_alive();
    const std::string octets = response.octets(keep_alive);
    co_await asio::async_write(socket, asio::buffer(octets),
                               asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return;
  }
}

Task<AdminApi::Response> AdminApi::respond(std::string method, std::string target) {
  const std::size_t mark = std::min(target.find('?'), target.size());
  const std::string_view path = std::string_view(target).substr(0, mark);
  const bool is_query = path == "/v1/query";
  if (!is_query && path != "/v1/status") {
    co_return Response::error(404, "there are /v1/query and /v1/status");
  }
  if (method != "GET") co_return Response::error(405, "only GET", "Allow: GET\r\n");
  if (!is_query) co_return Response{200, status()};
  auto querying = query(target.substr(std::min(mark + 1, target.size())));
  Response response = co_await std::move(querying);
  co_return response;
}

Task<AdminApi::Response> AdminApi::query(std::string text) {
  const std::optional<Parameters> parameters = parse_parameters(text);
  if (!parameters) co_return Response::error(400, "the parameters cannot be read");
  PolicyQuestion question;
  std::string dialect_name = "postfix";
  bool has_key = false;
  for (const auto& [name, value] : *parameters) {
    if (name == "key") {
      question.key = value;
      has_key = true;
    } else if (name == "dialect") {
      dialect_name = value;
    } else {
      co_return Response::error(400, "the parameters are key and dialect");
    }
  }
  if (!has_key) co_return Response::error(400, "the parameter key is missing");
  const std::optional<Dialect> dialect = dialect_named(dialect_name);
  if (!dialect) {
    co_return Response::error(400, "unknown dialect; there are " + known_map_names());
  }
  question.dialect = *dialect;
  const std::string key = question.key;

  auto asking = cache_.ask(std::move(question));
  const AnswerPtr answer = co_await std::move(asking);
  if (!answer) co_return Response::error(503, "shutting down");
  const auto left = answer->expires - clock_.steady();
  const auto ttl = std::chrono::duration_cast<std::chrono::seconds>(left);
  json::object found{{"key", shown_key(key)},
                     {"dialect", name_of(*dialect)},
                     {"status", first_word(answer->reply)},
                     {"reply", answer->reply},
                     {"action", name_of(answer->action)},
                     {"ttl", std::max<std::int64_t>(0, ttl.count())}};
  if (answer->temporary()) found["reason"] = answer->reason;
  co_return Response{200, json::serialize(found)};
}

std::string AdminApi::status() const {
  return json::serialize(json::object{{"version", SEALANE_VERSION},
                                      {"up_since", fmt::format("{:%FT%TZ}", up_since_)},
                                      {"warnings", json::value_from(warnings_)},
                                      {"cache", counters_of(cache_)},
                                      {"socketmap", counters_of(server_)}});
}

}  // namespace sealane

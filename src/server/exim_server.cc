// SPDX-License-Identifier: Apache-2.0
#include "server/exim_server.h"

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <exception>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "lookup/waiting.h"
#include "server/exim_reply.h"

namespace sealane {
namespace asio = boost::asio;
using boost::system::error_code;
using SteadyClock = std::chrono::steady_clock;

namespace {

/// Octets read at a time: nearly every request is shorter.
constexpr std::size_t kRead = 512;
/// Lateness is judged this many times in the patience.
constexpr int kSweepsPerPatience = 8;
/// What a client sends beyond its request is read and dropped up to here: an unread rest makes
/// TCP reset the connection, and the answer with it.
constexpr std::size_t kMaxDrained = 64 * 1024;
/// Octets of junk that are shown: enough to recognise the sender.
constexpr std::size_t kMaxShownJunk = 32;

}  // namespace

std::optional<EximRequest> parse_exim_request(std::string_view line) {
  const std::vector<std::string_view> parts = words(trim(line, " \t\r"));
  if (parts.size() < 2 || parts[0] != "exim") return std::nullopt;
  EximRequest request;
  request.domain = parts[1];
  for (std::size_t i = 2; i < parts.size(); ++i) {
    if (parts[i] == "requiretls") {
      request.flags.requiretls = true;
    } else if (parts[i] == "tls-required=no") {
      request.flags.tls_required_no = true;
    } else {
      return std::nullopt;
    }
  }
  return request;
}

struct EximServer::Connection {
  Connection(Socket taken, SteadyClock::time_point by) : socket(std::move(taken)), due(by) {}
  Socket socket;
  std::string in;
  enum class Stage { reading, looking_up, writing, draining };
  Stage stage = Stage::reading;
  SteadyClock::time_point due;  ///< when the client is late, if it is its turn
  bool late = false;
};

struct EximServer::Sweeper {
  explicit Sweeper(const asio::any_io_executor& executor) : timer(executor) {}
  asio::steady_timer timer;
};

EximServer::EximServer(asio::any_io_executor executor, AnswerCache& cache, const Clock& clock,
                       EximLimits limits)
    : executor_(std::move(executor)),
      cache_(cache),
      clock_(clock),
      limits_(limits),
      acceptor_(executor_, [this](Socket socket) { take(std::move(socket)); }),
      sweeper_(std::make_unique<Sweeper>(executor_)) {}

EximServer::~EximServer() = default;

void EximServer::start(std::vector<Listener> listeners) {
  acceptor_.start(std::move(listeners));
  spawn_detached(executor_, sweep(), "exim sweep");
}

void EximServer::take(Socket socket) {
  ++counters_.accepted;
  if (connections_.size() >= limits_.connections) {
    ++counters_.refused;
    crowding_.note(connections_.size(), CrowdingLog::Effect::told_to_come_later);
    error_code ignored;
    const std::string line = exim_temporary("too many connections to sealaned") + "\n";
    socket.write_some(asio::buffer(line), ignored);
    socket.shutdown(Socket::shutdown_send, ignored);
    return;
  }
  const auto due = SteadyClock::now() + limits_.patience;
  auto connection = std::make_shared<Connection>(std::move(socket), due);
  connections_.insert(connection);
  spawn_detached(executor_, serve(connection), "exim connection");
}

Task<> EximServer::serve(ConnectionPtr connection) {
  try {
    co_await talk(*connection);
  } catch (const std::exception& error) {
    log(Severity::error, "exim_threw", {{"what", error.what()}});
  }
  connections_.erase(connection);
  if (closing_ && connections_.empty()) sweeper_->timer.cancel();
}

Task<> EximServer::talk(Connection& connection) {
  co_await read_request(connection);
  auto answering = answer(connection);
  std::string line = co_await std::move(answering);
  connection.due = SteadyClock::now() + limits_.patience;
  co_await write_answer(connection, std::move(line));
  const bool is_all_read = connection.in.size() <= kMaxEximRequest;
  if (!is_all_read) co_await drain(connection);
}

/// Reads until a line end, the end, or what cannot become a request any more.
Task<> EximServer::read_request(Connection& connection) {
  std::array<char, kRead> room;
  while (!closing_ && !connection.late && connection.in.size() <= kMaxEximRequest) {
    error_code error;
    const std::size_t read = co_await connection.socket.async_read_some(
        asio::buffer(room), asio::redirect_error(asio::use_awaitable, error));
    if (error == asio::error::operation_aborted) continue;  // the loop's condition says why
    if (error) co_return;
    connection.in.append(room.data(), read);
    if (connection.in.find('\n') != std::string::npos) co_return;
  }
}

/// The answer's line without its end.
Task<std::string> EximServer::answer(Connection& connection) {
  const std::string_view line = std::string_view(connection.in).substr(0, connection.in.find('\n'));
  const bool is_complete = line.size() < connection.in.size();
  if (connection.late && !is_complete) co_return exim_temporary("no request came in time");
  const auto request = parse_exim_request(line.substr(0, kMaxEximRequest + 1));
  if (!request || line.size() > kMaxEximRequest) {
    if (closing_) co_return exim_temporary("sealaned is shutting down");
    note_junk(line);
    co_return exim_temporary("a request is \"exim DOMAIN\", and what is known of the message");
  }
  ++counters_.requests;
  AnswerPtr found = cache_.ready(Dialect::exim, request->flags, request->domain);
  if (!found) {
    connection.stage = Connection::Stage::looking_up;
    PolicyQuestion question{std::string(request->domain), Dialect::exim, request->flags};
    auto asking = cache_.ask(std::move(question));
    found = co_await std::move(asking);
  }
  if (!found) co_return exim_temporary("sealaned is shutting down");
  const auto left = found->expires - clock_.steady();
  co_return exim_line(found->reply, found->temporary(),
                      std::chrono::duration_cast<std::chrono::seconds>(left));
}

void EximServer::note_junk(std::string_view line) {
  ++counters_.junk;
  if (junk_logged_) return;
  junk_logged_ = true;
  log(Severity::warning, "exim_junk",
      {{"text", std::string(line.substr(0, kMaxShownJunk))},
       {"so_far", std::to_string(counters_.junk)}});
}

Task<> EximServer::write_answer(Connection& connection, std::string line) {
  connection.stage = Connection::Stage::writing;
  Socket& socket = connection.socket;
  line += '\n';
  error_code error;
  const std::size_t sent = socket.write_some(asio::buffer(line), error);
  if (error && error != asio::error::would_block) co_return;
  if (sent < line.size()) {
    const auto rest = asio::buffer(line) + sent;
    co_await asio::async_write(socket, rest, asio::redirect_error(asio::use_awaitable, error));
  }
  socket.shutdown(Socket::shutdown_send, error);
}

Task<> EximServer::drain(Connection& connection) {
  connection.stage = Connection::Stage::draining;
  std::array<char, kRead> room;
  error_code error;
  for (std::size_t drained = 0; drained < kMaxDrained && !error && !closing_;) {
    drained += co_await connection.socket.async_read_some(
        asio::buffer(room), asio::redirect_error(asio::use_awaitable, error));
  }
}

/// Goes on at the end until the last answer is taken, or its client is late.
Task<> EximServer::sweep() {
  error_code woken;
  while (!closing_ || !connections_.empty()) {
    sweeper_->timer.expires_after(limits_.patience / kSweepsPerPatience);
    co_await sweeper_->timer.async_wait(asio::redirect_error(asio::use_awaitable, woken));
    junk_logged_ = false;
    crowding_.sweep();
    const auto now = SteadyClock::now();
    for (const ConnectionPtr& connection : connections_) {
      if (connection->stage == Connection::Stage::looking_up || connection->due > now) continue;
      if (!connection->late) ++counters_.late;
      connection->late = true;
      error_code ignored;
      connection->socket.cancel(ignored);
    }
  }
}

/// Answers that are being sent are sent to their end: half a list of hosts is worse than none.
void EximServer::close() {
  closing_ = true;
  acceptor_.close();
  sweeper_->timer.cancel();
  for (const ConnectionPtr& connection : connections_) {
    const auto stage = connection->stage;
    const bool is_reading =
        stage == Connection::Stage::reading || stage == Connection::Stage::draining;
    error_code ignored;
    if (is_reading) connection->socket.cancel(ignored);
  }
}

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
#include "server/access_server.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <exception>
#include <utility>

#include "base/log.h"
#include "lookup/waiting.h"
#include "server/access_verdict.h"

namespace sealane {
namespace asio = boost::asio;
using boost::system::error_code;

namespace {

/// Octets read at a time: nearly every request fits.
constexpr std::size_t kRead = 2 * 1024;
/// Idleness is judged this many times in the idle limit.
constexpr std::uint64_t kSweepsPerIdle = 8;
/// Octets of junk that are shown: enough to recognise the sender.
constexpr std::size_t kMaxShownJunk = 32;

}  // namespace

struct AccessServer::Connection {
  Connection(Socket taken, LastMove taken_at) : socket(std::move(taken)), moved(taken_at) {}
  Socket socket;
  std::string in;
  LastMove moved;
  bool waiting = false;  ///< for a lookup
};

struct AccessServer::Sweeper {
  explicit Sweeper(const asio::any_io_executor& executor) : timer(executor) {}
  asio::steady_timer timer;
};

AccessServer::AccessServer(asio::any_io_executor executor, AnswerCache& cache, Table table,
                           AccessLimits limits, bool observes)
    : executor_(std::move(executor)),
      cache_(cache),
      table_(std::move(table)),
      limits_(limits),
      observes_(observes),
      acceptor_(executor_, [this](Socket socket) { take(std::move(socket)); }),
      sweeper_(std::make_unique<Sweeper>(executor_)) {}

AccessServer::~AccessServer() = default;

void AccessServer::start(std::vector<Listener> listeners) {
  acceptor_.start(std::move(listeners));
  spawn_detached(executor_, sweep(), "access sweep");
}

void AccessServer::take(Socket socket) {
  ++counters_.accepted;
  if (connections_.size() >= limits_.connections) make_room();
  auto connection = std::make_shared<Connection>(std::move(socket), move());
  connections_.insert(connection);
  spawn_detached(executor_, serve(connection), "access connection");
}

/// Lets one connection go.  A lookup that it waits for goes on, for whoever asks again.
void AccessServer::make_room() {
  const auto first =
      std::min_element(connections_.begin(), connections_.end(),
                       [](const auto& a, const auto& b) { return makes_room_before(*a, *b); });
  if (first == connections_.end()) return;
  Connection& leaver = **first;
  using Effect = CrowdingLog::Effect;
  crowding_.note(connections_.size(),
                 leaver.waiting ? Effect::waiting_closed : Effect::idle_closed);
  ++(leaver.waiting ? counters_.refused : counters_.idle);
  error_code ignored;
  leaver.socket.close(ignored);
  connections_.erase(first);  // it serves on until it notices
}

Task<> AccessServer::serve(ConnectionPtr connection) {
  try {
    co_await talk(*connection);
  } catch (const std::exception& error) {
    log(Severity::error, "access_threw", {{"what", error.what()}});
  }
  connections_.erase(connection);
}

Task<> AccessServer::talk(Connection& connection) {
  std::array<char, kRead> room;
  error_code error;
  while (!closing_) {
    const std::size_t length = access_request_length(connection.in);
    if (length > 0) {
      std::string text = connection.in.substr(0, length);
      connection.in.erase(0, length);
      auto asking = action_for(connection, std::move(text));
      const std::string action = co_await std::move(asking);
      if (action.empty()) co_return;
      const std::string reply = fmt::format("action={}\n\n", action);
      co_await asio::async_write(connection.socket, asio::buffer(reply),
                                 asio::redirect_error(asio::use_awaitable, error));
      if (error) co_return;
      connection.moved = move();
      continue;
    }
    if (connection.in.size() > kMaxAccessRequest) co_return note_junk(connection.in);
    const std::size_t read = co_await connection.socket.async_read_some(
        asio::buffer(room), asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return;
    connection.in.append(room.data(), read);
    connection.moved = move();
  }
}

/// Empty: no reply is to be sent, but the connection closed.
Task<std::string> AccessServer::action_for(Connection& connection, std::string text) {
  const auto request = parse_access_request(text);
  if (!request || text.size() > kMaxAccessRequest) {
    note_junk(text);
    co_return std::string();
  }
  ++counters_.requests;
  if (request->state != "RCPT") co_return "DUNNO";
  const Table table = table_;  // a reload does not take the rule away meanwhile
  const bool is_routed = !observes_ && request->is_recipient_routed();
  if (const auto* demand = is_routed ? table->demand_of_sender(*request) : nullptr) {
    std::string refusal = "REJECT 5.7.10 write a plain address, without ! % @ before its domain";
    note(*demand, *request, refusal);
    co_return refusal;
  }
  const std::string_view domain = request->recipient_domain();
  if (domain.empty()) co_return "DUNNO";
  const AccessRule* rule = table->find(*request);
  if (rule == nullptr || (!rule->require && !rule->record)) co_return "DUNNO";

  ++counters_.asked;
  AnswerPtr answer = cache_.ready(Dialect::postfix, {}, domain, AskedFor::before_mail);
  if (!answer) {
    connection.waiting = true;
    PolicyQuestion question{std::string(domain), Dialect::postfix, {}, AskedFor::before_mail};
    auto asking = cache_.ask(std::move(question));
    answer = co_await std::move(asking);
    connection.waiting = false;
  }
  if (!answer) co_return std::string();
  std::string action = access_action(*rule, *answer, domain);
  note(*rule, *request, action);
  co_return action;
}

void AccessServer::note(const AccessRule& rule, const AccessRequest& request,
                        const std::string& action) {
  const bool rejects = action.starts_with("REJECT");
  const bool defers = action.starts_with("DEFER");
  if (rejects) ++counters_.rejected;
  if (defers) ++counters_.deferred;
  const bool refuses = rejects || defers;
  if (!log_enabled(refuses ? Severity::info : Severity::debug)) return;
  log(refuses ? Severity::info : Severity::debug, "access",
      {{"sender", std::string(request.sender)},
       {"user", std::string(request.user)},
       {"recipient", std::string(request.recipient)},
       {"action", action},
       {"rule", std::to_string(rule.line)},
       {"reason", rule.reason}});
}

void AccessServer::note_junk(std::string_view text) {
  ++counters_.junk;
  if (junk_logged_at_ == sweeps_) return;
  junk_logged_at_ = sweeps_;
  log(Severity::warning, "access_junk",
      {{"text", std::string(text.substr(0, kMaxShownJunk))},
       {"so_far", std::to_string(counters_.junk)}});
}

Task<> AccessServer::sweep() {
  error_code woken;
  while (!closing_) {
    sweeper_->timer.expires_after(limits_.idle / kSweepsPerIdle);
    co_await sweeper_->timer.async_wait(asio::redirect_error(asio::use_awaitable, woken));
    ++sweeps_;
    crowding_.sweep();
    for (const ConnectionPtr& connection : connections_) {
      if (connection->waiting || connection->moved.sweep + kSweepsPerIdle > sweeps_) continue;
      ++counters_.idle;
      error_code ignored;
      connection->socket.close(ignored);
    }
  }
}

void AccessServer::close() {
  closing_ = true;
  acceptor_.close();
  sweeper_->timer.cancel();
  for (const ConnectionPtr& connection : connections_) {
    error_code ignored;
    connection->socket.close(ignored);
  }
}

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
#include "server/socketmap.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <cstring>
#include <exception>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "lookup/waiting.h"
#include "server/netstring.h"
#include "server/postfix_reply.h"

namespace sealane {
namespace asio = boost::asio;
using boost::system::error_code;

namespace {

/// Room for what is read at first, in octets: nearly every request fits.
constexpr std::size_t kFirstRoom = 512;
/// Room for the longest request with its digits, colon and comma.
constexpr std::size_t kMaxRoom = kMaxRequest + kMaxNetstringDigits + 2;
/// A buffer that a long reply made large is given back when it is empty.
constexpr std::size_t kKeptOutput = 4 * 1024;
/// Idleness is judged this many times in the idle limit.
constexpr std::uint64_t kSweepsPerIdle = 8;
/// Octets of an unknown map name, or of junk, that are shown: enough to recognise the sender.
constexpr std::size_t kMaxShownMapName = 64;
constexpr std::size_t kMaxShownJunk = 32;

/// What has arrived and was not looked at yet.
class Inbox {
 public:
  std::string_view unread() const { return {room_.data() + begin_, end_ - begin_}; }
  void consume(std::size_t octets) {
    begin_ += octets;
    if (begin_ == end_) begin_ = end_ = 0;
  }
  /// Where to read to; never empty while an unread request is incomplete.
  asio::mutable_buffer space() {
    if (begin_ == 0 && end_ == 0 && room_.size() > kFirstRoom) {
      room_.resize(kFirstRoom);
      room_.shrink_to_fit();
    }
    if (end_ == room_.size() && begin_ > 0) {
      std::memmove(room_.data(), room_.data() + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
    }
    if (end_ == room_.size()) room_.resize(std::min(kMaxRoom, room_.size() * 2));
    return asio::buffer(room_.data() + end_, room_.size() - end_);
  }
  void filled(std::size_t octets) { end_ += octets; }

 private:
  std::vector<char> room_ = std::vector<char>(kFirstRoom);
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace

struct SocketmapServer::Connection {
  Connection(Socket taken, std::uint64_t sweep) : socket(std::move(taken)), moved(sweep) {}
  Socket socket;
  Inbox in;
  std::string out;
  PolicyQuestion question;  ///< with Next::ask
  std::uint64_t moved;      ///< the sweep before which something moved last
  bool waiting = false;     ///< for a lookup
};

struct SocketmapServer::Sweeper {
  explicit Sweeper(const asio::any_io_executor& executor) : timer(executor) {}
  asio::steady_timer timer;
};

SocketmapServer::SocketmapServer(asio::any_io_executor executor, AnswerCache& cache,
                                 SocketmapLimits limits)
    : executor_(std::move(executor)),
      cache_(cache),
      limits_(limits),
      acceptor_(executor_, [this](Socket socket) { take(std::move(socket)); }),
      sweeper_(std::make_unique<Sweeper>(executor_)) {}

SocketmapServer::~SocketmapServer() = default;

void SocketmapServer::start(std::vector<Listener> listeners) {
  acceptor_.start(std::move(listeners));
  spawn_detached(executor_, sweep(), "socketmap sweep");
}

void SocketmapServer::take(Socket socket) {
  ++counters_.accepted;
  if (connections_.size() >= limits_.connections && !make_room()) {
    ++counters_.refused;
    return;
  }
  auto connection = std::make_shared<Connection>(std::move(socket), sweeps_);
  connections_.insert(connection);
  spawn_detached(executor_, serve(connection), "socketmap connection");
}

/// Lets the connection go that has been idle longest: whoever holds many open must not lock the
/// mail server out, and Postfix repeats a question when an idle connection was closed.
bool SocketmapServer::make_room() {
  if (full_logged_at_ != sweeps_) {
    full_logged_at_ = sweeps_;
    log(Severity::warning, "connections_full",
        {{"connections", std::to_string(connections_.size())},
         {"effect", "the longest idle ones are closed"}});
  }
  ConnectionPtr idlest;
  for (const ConnectionPtr& connection : connections_) {
    if (connection->waiting) continue;
    if (!idlest || connection->moved < idlest->moved) idlest = connection;
  }
  if (!idlest) return false;
  ++counters_.idle;
  error_code ignored;
  idlest->socket.close(ignored);
  connections_.erase(idlest);
  return true;
}

Task<> SocketmapServer::serve(ConnectionPtr connection) {
  try {
    co_await talk(*connection);
  } catch (const std::exception& error) {
    log(Severity::error, "socketmap_threw", {{"what", error.what()}});
  }
  connections_.erase(connection);
}

Task<> SocketmapServer::talk(Connection& connection) {
  Socket& socket = connection.socket;
  error_code error;
  while (!closing_) {
    const Next next = answer_ready(connection);
    if (!connection.out.empty()) {
      const std::size_t sent = socket.write_some(asio::buffer(connection.out), error);
      if (error && error != asio::error::would_block) co_return;
      if (sent < connection.out.size()) {
        const auto rest = asio::buffer(connection.out) + sent;
        co_await asio::async_write(socket, rest, asio::redirect_error(asio::use_awaitable, error));
        if (error) co_return;
        connection.moved = sweeps_;
      }
      connection.out.clear();
      if (connection.out.capacity() > kKeptOutput) connection.out.shrink_to_fit();
    }
    if (next == Next::hang_up) co_return;
    if (next == Next::flush || closing_) continue;

    if (next == Next::ask) {
      connection.waiting = true;
      auto asking = cache_.ask(std::move(connection.question));
      const AnswerPtr answer = co_await std::move(asking);
      connection.waiting = false;
      connection.moved = sweeps_;
      if (!answer) co_return;
      append_netstring(connection.out, answer->reply);
      continue;
    }
    const std::size_t read = co_await socket.async_read_some(
        connection.in.space(), asio::redirect_error(asio::use_awaitable, error));
    if (error == asio::error::operation_aborted) continue;
    if (error) co_return;
    connection.in.filled(read);
    connection.moved = sweeps_;
  }
  last_words(connection);
}

SocketmapServer::Next SocketmapServer::answer_ready(Connection& connection) {
  while (connection.out.size() < kMaxPendingOutput) {
    const Netstring request = parse_netstring(connection.in.unread());
    if (request.status == Netstring::Status::incomplete) return Next::read;
    if (request.status == Netstring::Status::junk) {
      note_junk(connection);
      return Next::hang_up;
    }
    ++counters_.requests;
    const std::size_t space = request.payload.find(' ');
    if (space == std::string_view::npos) {
      append_netstring(connection.out, "PERM a request is a map name, a blank and a key");
      connection.in.consume(request.consumed);
      continue;
    }
    const std::string_view map = request.payload.substr(0, space);
    const std::string_view key = request.payload.substr(space + 1);
    const std::optional<Dialect> dialect = dialect_named(map);
    if (!dialect) {
      refuse_map(connection, map);
      connection.in.consume(request.consumed);
      continue;
    }
    const AnswerPtr ready = cache_.ready(*dialect, {}, key);
    if (!ready) {
      connection.question = PolicyQuestion{std::string(key), *dialect, {}};
      connection.in.consume(request.consumed);
      return Next::ask;
    }
    append_netstring(connection.out, ready->reply);
    connection.in.consume(request.consumed);
  }
  return Next::flush;
}

void SocketmapServer::refuse_map(Connection& connection, std::string_view name) {
  ++counters_.unknown_maps;
  const std::string known = known_map_names();
  append_netstring(connection.out, fmt::format("PERM unknown map name \"{}\"; there are {}",
                                               escape(name, kMaxShownMapName), known));
  const std::string_view noted = name.substr(0, kMaxShownMapName);
  if (logged_maps_.size() >= kMaxLoggedMapNames || logged_maps_.contains(noted)) return;
  logged_maps_.emplace(noted);
  log(Severity::warning, "unknown_map", {{"map", std::string(noted)}, {"known", known}});
}

void SocketmapServer::note_junk(const Connection& connection) {
  ++counters_.junk;
  if (junk_logged_at_ == sweeps_) return;
  junk_logged_at_ = sweeps_;
  log(Severity::warning, "socketmap_junk",
      {{"text", std::string(connection.in.unread().substr(0, kMaxShownJunk))},
       {"so_far", std::to_string(counters_.junk)}});
}

/// At the end, for a client whose request has arrived but was not read yet.
void SocketmapServer::last_words(Connection& connection) {
  error_code error;
  const std::size_t read = connection.socket.read_some(connection.in.space(), error);
  if (!error) connection.in.filled(read);
  answer_ready(connection);
  if (!connection.out.empty()) connection.socket.write_some(asio::buffer(connection.out), error);
}

Task<> SocketmapServer::sweep() {
  error_code woken;
  while (!closing_) {
    sweeper_->timer.expires_after(limits_.idle / kSweepsPerIdle);
    co_await sweeper_->timer.async_wait(asio::redirect_error(asio::use_awaitable, woken));
    ++sweeps_;
    for (const ConnectionPtr& connection : connections_) {
      if (connection->waiting || connection->moved + kSweepsPerIdle > sweeps_) continue;
      ++counters_.idle;
      error_code ignored;
      connection->socket.close(ignored);
    }
  }
}

void SocketmapServer::close() {
  closing_ = true;
  acceptor_.close();
  sweeper_->timer.cancel();
  for (const ConnectionPtr& connection : connections_) {
    error_code ignored;
    if (connection->waiting) {
      connection->socket.close(ignored);
    } else {
      connection->socket.cancel(ignored);
    }
  }
}

}  // namespace sealane

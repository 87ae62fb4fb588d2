// SPDX-License-Identifier: Apache-2.0
#include "server/socketmap.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <cstring>
#include <exception>
#include <utility>

#include "base/descriptor.h"
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

struct SocketmapServer::Connection : PollSet::Member {
  Connection(SocketmapServer& owner, int descriptor)
      : server(owner), socket(descriptor), moved(owner.move()) {}
  void ready(std::uint32_t events) override { server.serve(*this, events); }

  SocketmapServer& server;
  Descriptor socket;
  Inbox in;
  std::string out;
  Next after = Next::read;  ///< what comes when `out` was sent
  PolicyQuestion question;  ///< with Next::ask
  LastMove moved;
  bool waiting = false;  ///< for a lookup
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
      poll_(executor_),
      sweeper_(std::make_unique<Sweeper>(executor_)) {}

SocketmapServer::~SocketmapServer() = default;

void SocketmapServer::start(std::vector<Listener> listeners) {
  acceptor_.start(std::move(listeners));
  poll_.start();
  spawn_detached(executor_, sweep(), "socketmap sweep");
}

void SocketmapServer::take(Socket socket) {
  ++counters_.accepted;
  error_code error;
  const int descriptor = socket.release(error);
  if (error) return;
  auto connection = std::make_shared<Connection>(*this, descriptor);
  if (connections_.size() >= limits_.connections) make_room();
  if (!poll_.add(descriptor, *connection, EPOLLIN)) {
    ++counters_.refused;
    return;
  }
  connections_.emplace(connection.get(), connection);
}

/// Lets one connection go.  A lookup that it waits for goes on, for whoever asks again.
void SocketmapServer::make_room() {
  const auto first = std::min_element(
      connections_.begin(), connections_.end(),
      [](const auto& a, const auto& b) { return makes_room_before(*a.first, *b.first); });
  if (first == connections_.end()) return;
  Connection& leaver = *first->first;
  using Effect = CrowdingLog::Effect;
  crowding_.note(connections_.size(),
                 leaver.waiting ? Effect::waiting_closed : Effect::idle_closed);
  ++(leaver.waiting ? counters_.refused : counters_.idle);
  drop(leaver);
}

void SocketmapServer::drop(Connection& connection) {
  poll_.remove(connection.socket.get(), connection);
  connection.socket.reset();
  connections_.erase(&connection);
}

void SocketmapServer::serve(Connection& connection, std::uint32_t events) {
  bool alive = false;
  try {
    if (connection.waiting) {
      // It awaits nothing: only the end of the connection brings it here.
      alive = (events & (EPOLLHUP | EPOLLERR)) == 0;
    } else if (!connection.out.empty()) {
      alive = proceed(connection, connection.after);
    } else {
      alive = receive(connection) && proceed(connection, answer_ready(connection));
    }
  } catch (const std::exception& error) {
    log(Severity::error, "socketmap_threw", {{"what", error.what()}});
  }
  if (!alive) drop(connection);
}

/// Takes what has arrived.  False at the end of the connection.
bool SocketmapServer::receive(Connection& connection) {
  const asio::mutable_buffer space = connection.in.space();
  const ssize_t got = ::recv(connection.socket.get(), space.data(), space.size(), MSG_DONTWAIT);
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  connection.in.filled(static_cast<std::size_t>(got));
  connection.moved = move();
  return got > 0;
}

/// Sends what the client takes.  False at the end of the connection.
bool SocketmapServer::send(Connection& connection) {
  std::string& out = connection.out;
  if (out.empty()) return true;
  const ssize_t sent =
      ::send(connection.socket.get(), out.data(), out.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0) return errno == EAGAIN || errno == EINTR;
  connection.moved = move();
  out.erase(0, static_cast<std::size_t>(sent));
  if (out.empty() && out.capacity() > kKeptOutput) out.shrink_to_fit();
  return true;
}

/// Sends what is ready and goes on to `next`, until the connection has to wait.  False when the
/// connection has ended.
bool SocketmapServer::proceed(Connection& connection, Next next) {
  for (;; next = answer_ready(connection)) {
    if (!send(connection)) return false;
    std::uint32_t awaited = EPOLLIN;
    if (!connection.out.empty()) {
      connection.after = next;
      awaited = EPOLLOUT;
    } else if (next == Next::hang_up) {
      return false;
    } else if (next == Next::flush) {
      continue;
    } else if (next == Next::ask) {
      connection.waiting = true;
      spawn_detached(executor_, look_up(connections_.at(&connection)), "socketmap lookup");
      awaited = 0;
    }
    poll_.await(connection.socket.get(), connection, awaited);
    return true;
  }
}

Task<> SocketmapServer::look_up(ConnectionPtr connection) {
  // Not within the call that asks, however soon the answer is there.
  co_await asio::post(executor_, asio::use_awaitable);
  auto asking = cache_.ask(std::move(connection->question));
  const AnswerPtr answer = co_await std::move(asking);
  if (!connection->socket) co_return;  // the client has gone meanwhile
  connection->waiting = false;
  connection->moved = move();
  if (answer) append_netstring(connection->out, answer->reply);
  if (!answer || !proceed(*connection, Next::flush)) drop(*connection);
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
  if (connection.waiting || !connection.out.empty()) return;
  receive(connection);
  answer_ready(connection);
  send(connection);
}

Task<> SocketmapServer::sweep() {
  error_code woken;
  while (!closing_) {
    sweeper_->timer.expires_after(limits_.idle / kSweepsPerIdle);
    co_await sweeper_->timer.async_wait(asio::redirect_error(asio::use_awaitable, woken));
    ++sweeps_;
    crowding_.sweep();
    std::vector<Connection*> idle;
    for (const auto& [connection, owner] : connections_) {
      if (!connection->waiting && connection->moved.sweep + kSweepsPerIdle <= sweeps_) {
        idle.push_back(connection);
      }
    }
    counters_.idle += idle.size();
    for (Connection* connection : idle) drop(*connection);
  }
}

void SocketmapServer::close() {
  closing_ = true;
  acceptor_.close();
  sweeper_->timer.cancel();
  while (!connections_.empty()) {
    Connection& connection = *connections_.begin()->first;
    last_words(connection);
    drop(connection);
  }
  poll_.close();
}

}  // namespace sealane

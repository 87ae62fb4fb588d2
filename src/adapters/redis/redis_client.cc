// SPDX-License-Identifier: Apache-2.0
#include "adapters/redis/redis_client.h"

#include <algorithm>
#include <array>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <deque>
#include <string>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "lookup/waiting.h"

namespace sealane {
namespace {

using boost::asio::any_io_executor;
using boost::system::error_code;
using std::chrono::milliseconds;
using Steady = std::chrono::steady_clock;

constexpr std::size_t kReadRoom = 16 * 1024;
/// Octets that wait to be sent; more come together only when nobody reads them.
constexpr std::size_t kMaxUnsent = 4 * 1024 * 1024;

struct Waiting {
  Steady::time_point sent = Steady::now();
  milliseconds patience{0};
  bool done = false;
  std::optional<RedisReply> reply;
  Signal arrived;

  bool overdue() const { return Steady::now() - sent > patience; }
};

/// One connection, from the attempt to its end.
struct Link {
  Link(any_io_executor executor, std::unique_ptr<RedisStream> opened)
      : stream(std::move(opened)), limit(executor, kRedisConnectPatience) {}

  void end(std::string why) {
    if (ended) return;
    ended = true;
    cause = std::move(why);
    stream->close();
    limit.cancel();
    for (const auto& waiting : expected) finish(*waiting);
    expected.clear();
    changed.notify();
  }
  static void finish(Waiting& waiting) {
    waiting.done = true;
    waiting.arrived.notify();
  }

  std::unique_ptr<RedisStream> stream;
  boost::asio::steady_timer limit;  ///< of the time to connect
  RedisParser parser;
  std::deque<std::shared_ptr<Waiting>> expected;
  std::string unsent;
  bool writing = false;
  bool greeted = false;
  bool refused = false;  ///< by what the server said to our greeting
  bool ended = false;
  std::string cause;
  Signal changed;
};
using LinkPtr = std::shared_ptr<Link>;

/// Hands the complete replies to who waits for them.
void deliver(Link& link) {
  while (!link.ended) {
    auto reply = link.parser.next();
    if (!reply) return link.end(reply.error());
    if (!*reply) return;
    if (link.expected.empty()) return link.end("a reply that nobody asked for");
    const std::shared_ptr<Waiting> waiting = link.expected.front();
    link.expected.pop_front();
    waiting->reply = std::move(**reply);
    Link::finish(*waiting);
  }
}

Task<> read_replies(LinkPtr link) {
  std::array<char, kReadRoom> room;
  error_code error;
  while (!link->ended) {
    const std::size_t n = co_await link->stream->read_some(boost::asio::buffer(room), error);
    if (error) link->end("connection lost: " + error.message());
    if (link->ended) break;
    link->parser.feed({room.data(), n});
    deliver(*link);
  }
}

Task<> write_commands(LinkPtr link) {
  error_code error;
  while (!link->unsent.empty() && !link->ended) {
    const std::string octets = std::exchange(link->unsent, {});
    co_await link->stream->write(boost::asio::buffer(octets), error);
    if (error) link->end("connection lost: " + error.message());
  }
  link->writing = false;
}

Task<std::optional<RedisReply>> exchange(LinkPtr link, RedisCommand command,
                                         milliseconds patience) {
  if (link->ended) co_return std::nullopt;
  const auto executor = co_await boost::asio::this_coro::executor;
  auto waiting = std::make_shared<Waiting>();
  waiting->patience = patience;
  link->unsent += format_command(command);
  link->expected.push_back(waiting);
  if (!std::exchange(link->writing, true)) {
    spawn_detached(executor, write_commands(link), "shared store");
  }
  const Deadline until = waiting->sent + patience;
  while (!waiting->done) {
    const bool news = co_await waiting->arrived.wait_until(until);
    if (!news) break;
  }
  co_return std::move(waiting->reply);
}

}  // namespace

class RedisClient::Impl : public std::enable_shared_from_this<RedisClient::Impl> {
 public:
  Impl(any_io_executor executor, RedisOptions options, TlsContext tls,
       std::function<void()> connected)
      : executor_(std::move(executor)),
        options_(std::move(options)),
        tls_(std::move(tls)),
        on_connected_(std::move(connected)) {}

  void start() { spawn_detached(executor_, stay_connected(), "shared store"); }
  void close();
  bool connected() const { return connected_; }
  Task<std::optional<RedisReply>> ask(RedisCommand command, milliseconds patience);

 private:
  Task<> stay_connected();
  Task<> use(LinkPtr link);
  Task<std::string> greet(LinkPtr link);
  bool has_room();
  void note_away(const Link& link);
  void note_back();
  std::string without_password(std::string text) const;

  any_io_executor executor_;
  const RedisOptions options_;
  TlsContext tls_;
  std::function<void()> on_connected_;
  LinkPtr link_;
  bool connected_ = false;
  bool closed_ = false;
  std::optional<std::string> away_;  ///< what was told
  Signal closing_;
};

void RedisClient::Impl::close() {
  closed_ = true;
  connected_ = false;
  if (link_) link_->end("shutting down");
  closing_.notify();
}

Task<> RedisClient::Impl::stay_connected() {
  const auto self = shared_from_this();
  std::chrono::seconds pause = kRedisFirstPause;
  while (!closed_) {
    const Deadline began = Steady::now();
    const auto link =
        std::make_shared<Link>(executor_, make_redis_stream(executor_, options_, tls_));
    link_ = link;
    co_await use(link);
    connected_ = false;
    if (closed_) break;
    note_away(*link);
    if (Steady::now() - began > kRedisSteady) pause = kRedisFirstPause;
    co_await closing_.wait_until(Steady::now() + pause);
    pause = std::min(2 * pause, kRedisLastPause);
  }
}

/// Returns when the connection has ended, or has not come about.
Task<> RedisClient::Impl::use(LinkPtr link) {
  link->limit.async_wait([watch = std::weak_ptr<Link>(link)](error_code stopped) {
    const LinkPtr late = watch.lock();
    if (stopped || !late || late->greeted) return;
    late->end(fmt::format("no connection within {} s", kRedisConnectPatience.count()));
  });
  const Result<void> opened = co_await link->stream->connect();
  if (!opened) link->end(opened.error());
  if (link->ended) co_return;
  spawn_detached(executor_, read_replies(link), "shared store");
  std::string refused = co_await greet(link);
  link->refused = !refused.empty() && !link->ended;
  if (!refused.empty()) link->end(std::move(refused));
  if (link->ended) co_return;
  link->greeted = true;
  link->limit.cancel();
  connected_ = true;
  note_back();
  on_connected_();
  while (!link->ended) co_await link->changed.wait_until(Deadline::max());
}

/// Why the server does not let us in; empty: it does.
Task<std::string> RedisClient::Impl::greet(LinkPtr link) {
  std::vector<RedisCommand> commands;
  if (!options_.password.empty() && options_.user.empty()) {
    commands.push_back({"AUTH", options_.password});
  } else if (!options_.password.empty()) {
    commands.push_back({"AUTH", options_.user, options_.password});
  }
  if (options_.database != 0) commands.push_back({"SELECT", std::to_string(options_.database)});
  commands.push_back({"PING"});
  for (const RedisCommand& command : commands) {
    const auto reply = co_await exchange(link, command, kRedisConnectPatience);
    if (!reply) co_return "no reply to " + command.front();
    const bool good = reply->is_status(command.front() == "PING" ? "PONG" : "OK");
    if (!good) co_return command.front() + " refused: " + without_password(reply->text);
  }
  co_return std::string();
}

/// Old servers repeat in their complaint the command that they did not understand.
std::string RedisClient::Impl::without_password(std::string text) const {
  const std::string& password = options_.password;
  if (password.empty() || text.find(password) == std::string::npos) return escape(text);
  return "(a reply with the password in it)";
}

bool RedisClient::Impl::has_room() {
  if (!connected_ || closed_) return false;
  const auto& expected = link_->expected;
  if (expected.empty()) return true;
  if (Steady::now() - expected.front()->sent > kRedisSilence) {
    link_->end(fmt::format("no reply within {} s", kRedisSilence.count()));
    return false;
  }
  if (expected.front()->overdue()) return false;
  return expected.size() < kMaxRedisPipeline && link_->unsent.size() < kMaxUnsent;
}

Task<std::optional<RedisReply>> RedisClient::Impl::ask(RedisCommand command,
                                                       milliseconds patience) {
  const auto self = shared_from_this();
  if (!has_room()) co_return std::nullopt;
  auto reply = co_await exchange(link_, std::move(command), patience);
  co_return reply;
}

/// "Lost", "refused" and "no route" are one piece of news; that it does not let us in is another.
void RedisClient::Impl::note_away(const Link& link) {
  const std::string news = link.refused ? link.cause : "cannot be reached";
  if (away_ == news) return;
  away_ = news;
  log(Severity::warning, "shared_store_away",
      {{"store", options_.where()},
       {"cause", link.cause},
       {"effect", "the local store goes on alone"}});
}

void RedisClient::Impl::note_back() {
  log(Severity::notice, "shared_store_ready", {{"store", options_.where()}});
  away_.reset();
}

RedisClient::RedisClient(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
RedisClient::~RedisClient() { close(); }

Result<std::unique_ptr<RedisClient>> RedisClient::create(any_io_executor executor,
                                                         RedisOptions options,
                                                         std::function<void()> connected) {
  TlsContext tls;
  if (options.tls) {
    auto made = make_tls_context(options.ca_file);
    if (!made) return tl::unexpected(made.error());
    tls = std::move(*made);
  }
  return std::unique_ptr<RedisClient>(new RedisClient(std::make_shared<Impl>(
      std::move(executor), std::move(options), std::move(tls), std::move(connected))));
}

void RedisClient::start() { impl_->start(); }
void RedisClient::close() { impl_->close(); }
bool RedisClient::connected() const { return impl_->connected(); }
Task<std::optional<RedisReply>> RedisClient::ask(RedisCommand command, milliseconds patience) {
  return impl_->ask(std::move(command), patience);
}

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
// A socketmap server with cache and finder, for tests over real sockets.
#pragma once

#include <doctest/doctest.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <future>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/log.h"
#include "fakes.h"
#include "server/fake_finder.h"
#include "server/socket_client.h"
#include "server/socketmap.h"
#include "server/temp_dir.h"

namespace sealane {

/// Server, cache and finder on threads of their own, as in the daemon.
class SocketmapHouse {
 public:
  explicit SocketmapHouse(SocketmapLimits limits = {})
      : cache_(
            serving_.get_executor(), lookup_.get_executor(),
            [this](PolicyQuestion question) { return finder_.find(std::move(question)); }, format,
            clock_),
        server_(serving_.get_executor(), cache_, limits) {
    set_log_level(Severity::alarm);
    std::vector<Listener> listeners;
    listeners.push_back(open("unix:" + path()));
    listeners.push_back(open("inet:127.0.0.1:0"));
    port_ = listeners[1].port();
    server_.start(std::move(listeners));
    serving_thread_ = std::thread([this] { serving_.run(); });
    lookup_thread_ = std::thread([this] { lookup_.run(); });
  }
  ~SocketmapHouse() { stop(); }

  std::string path() const { return dir_.file("socket"); }
  std::uint16_t port() const { return port_; }
  SocketClient client() {
    SocketClient client(path());
    REQUIRE(client.connected());
    return client;
  }

  /// Runs a function on a context's thread and hands out what it returns.
  template <class Function>
  auto on(boost::asio::io_context& io, Function function) {
    std::packaged_task<decltype(function())()> task(std::move(function));
    auto result = task.get_future();
    boost::asio::post(io, [&task] { task(); });
    return result.get();
  }
  template <class Function>
  auto on_serving(Function function) {
    return on(serving_, std::move(function));
  }
  template <class Function>
  auto on_lookup(Function function) {
    return on(lookup_, std::move(function));
  }
  void hold(const std::string& key) {
    on_lookup([&] { return finder_.hold.insert(key).second; });
  }
  void release() {
    on_lookup([&] { return finder_.release(), true; });
  }
  /// Waits until this many lookups are held up.
  void wait_for_held(std::size_t count) {
    wait([&] { return on_lookup([&] { return finder_.held(); }) == count; });
  }
  std::size_t asked(const std::string& key) {
    return on_lookup([&] { return finder_.count(key); });
  }
  SocketmapCounters counters() {
    return on_serving([&] { return server_.counters(); });
  }
  std::size_t connections() {
    return on_serving([&] { return server_.connections(); });
  }
  template <class Condition>
  static void wait(Condition condition) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{20};
    while (!condition()) {
      REQUIRE(std::chrono::steady_clock::now() < until);
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
  }

  void close() {
    on_serving([&] { return server_.close(), cache_.close(), true; });
  }
  /// Closes and waits until every thread has run out of work.
  void stop() {
    if (!serving_thread_.joinable()) return;
    close();
    serving_guard_.reset();
    release();
    serving_thread_.join();
    lookup_guard_.reset();
    lookup_thread_.join();
  }
  SocketmapServer& server() { return server_; }

 private:
  /// Answers of "big…" are long, as a policy of many names is.
  static std::string format(const Decision& decision, Dialect dialect, std::string_view text) {
    std::string reply = "OK " + std::string(name_of(dialect)) + " " + std::string(text);
    if (text.starts_with("big")) reply.resize(20'000, '.');
    if (decision.action == Action::temporary) reply = "TEMP " + decision.reason;
    return reply;
  }
  static Listener open(const std::string& text) {
    auto listener = Listener::open(*parse_listen_address(text));
    REQUIRE_MESSAGE(listener.has_value(), listener.error());
    return std::move(*listener);
  }

  TempDir dir_;
  boost::asio::io_context serving_{1};
  boost::asio::io_context lookup_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> serving_guard_{
      serving_.get_executor()};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> lookup_guard_{
      lookup_.get_executor()};
  FakeClock clock_;
  FakeFinder finder_;
  AnswerCache cache_;
  SocketmapServer server_;
  std::uint16_t port_ = 0;
  std::thread serving_thread_;
  std::thread lookup_thread_;
};

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
// A front end (SocketmapServer, EximServer, AccessServer) with cache and finder on threads of their
// own, as in the daemon, for tests over real sockets.
#pragma once

#include <doctest/doctest.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/log.h"
#include "fakes.h"
#include "server/fake_finder.h"
#include "server/mta_reply.h"
#include "server/socket_client.h"
#include "server/temp_dir.h"

namespace sealane {

template <class Server>
class FrontHouse {
 public:
  using Make = std::function<std::unique_ptr<Server>(boost::asio::any_io_executor, AnswerCache&,
                                                     const Clock&)>;

  explicit FrontHouse(const Make& make, AnswerCache::Format format = mta_reply)
      : cache_(
            serving_.get_executor(), lookup_.get_executor(),
            [this](PolicyQuestion question) { return finder.find(std::move(question)); },
            std::move(format), clock_),
        server_(make(serving_.get_executor(), cache_, clock_)) {
    set_log_level(Severity::alarm);
    std::vector<Listener> listeners;
    listeners.push_back(open("unix:" + path()));
    listeners.push_back(open("inet:127.0.0.1:0"));
    port_ = listeners[1].port();
    server_->start(std::move(listeners));
  }
  ~FrontHouse() { stop(); }

  /// What the finder is to say must be set up before.
  void run() {
    serving_thread_ = std::thread([this] { serving_.run(); });
    lookup_thread_ = std::thread([this] { lookup_.run(); });
  }
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
  void release() {
    on_lookup([&] { return finder.release(), true; });
  }
  /// Waits until this many lookups are held up.
  void wait_for_held(std::size_t count) {
    wait([&] { return on_lookup([&] { return finder.held(); }) == count; });
  }
  std::size_t asked() {
    return on_lookup([&] { return finder.asked.size(); });
  }
  std::size_t connections() {
    return on_serving([&] { return server_->connections(); });
  }
  auto counters() {
    return on_serving([&] { return server_->counters(); });
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
    on_serving([&] { return server_->close(), cache_.close(), true; });
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
  Server& server() { return *server_; }

  FakeFinder finder;

 private:
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
  AnswerCache cache_;
  std::unique_ptr<Server> server_;
  std::uint16_t port_ = 0;
  std::thread serving_thread_;
  std::thread lookup_thread_;
};

}  // namespace sealane

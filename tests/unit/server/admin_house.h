// SPDX-License-Identifier: Apache-2.0
// The real admin API on a socket of its own, with fakes behind the ports only.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/log.h"
#include "fakes.h"
#include "server/admin_parts.h"
#include "server/fake_finder.h"
#include "server/http_client.h"
#include "server/http_server.h"
#include "server/mta_reply.h"
#include "server/temp_dir.h"

namespace sealane {

class AdminHouse {
 public:
  AdminHouse()
      : cache_(
            io_.get_executor(), io_.get_executor(),
            [this](PolicyQuestion question) { return finder.find(std::move(question)); }, mta_reply,
            clock),
        socketmap_(io_.get_executor(), cache_),
        events_(io_.get_executor(), store, nullptr),
        dane_watch_(io_.get_executor(), store, clock, events_),
        sts_(io_.get_executor(), resolver, fetcher, store, clock, StsLimits{}, &events_),
        refresher_(io_.get_executor(), sts_, store, clock),
        overrides_(clock),
        server_(io_.get_executor()) {
    set_log_level(Severity::alarm);
    dane_watch_.start();
    finder.decisions["a.test"] = found(Action::dane_only, std::chrono::seconds{120});
    finder.decisions["down.test"] = found(Action::temporary);
    add_admin_routes(server_,
                     std::make_shared<AdminParts>(AdminParts{cache_,
                                                             socketmap_,
                                                             clock,
                                                             {"a \"warning\""},
                                                             io_.get_executor(),
                                                             store,
                                                             sts_,
                                                             dane_watch_,
                                                             refresher_,
                                                             events_,
                                                             overrides_,
                                                             [] { return ResolverReport{}; }}));
    auto listener = Listener::open(*parse_listen_address("unix:" + path(), 0600));
    REQUIRE_MESSAGE(listener.has_value(), listener.error());
    std::vector<Listener> listeners;
    listeners.push_back(std::move(*listener));
    server_.start(std::move(listeners));
    thread_ = std::thread([this] { io_.run(); });
  }
  ~AdminHouse() {
    boost::asio::post(io_, [this] {
      finder.release();
      fetcher.release();
      sts_.close();
      server_.close();
      cache_.close();
    });
    guard_.reset();
    thread_.join();
  }
  std::string path() const { return dir_.file("admin"); }
  std::string address() const { return "unix:" + path(); }

  HttpReply get(const std::string& target) const { return request(path(), "GET", target); }

  HttpReply post(const std::string& target, const std::string& body = {}) const {
    return request(path(), "POST", target, body);
  }

  /// Runs on the thread of all parts, and returns when it is done.
  template <class Work>
  void inside(Work work) {
    std::promise<void> done;
    boost::asio::post(io_, [&] {
      work();
      done.set_value();
    });
    done.get_future().wait();
  }
  /// Closes the server ahead of the rest.
  void close() {
    inside([this] { server_.close(); });
  }
  /// A domain that publishes a policy.
  void publish(const std::string& name, const std::string& body, const std::string& id = "1") {
    inside([&] {
      resolver.replies["_mta-sts." + name + " TXT"] = dns_txt({"v=STSv1; id=" + id + ";"});
      fetcher.policies[name] = FetchedBody{body, "192.0.2.1"};
    });
  }

  /// As a question of mail has it.
  void look_up(const std::string& name) {
    std::promise<void> done;
    const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds{10};
    boost::asio::co_spawn(io_, sts_.find(Domain::parse(name).value(), patience),
                          [&](std::exception_ptr, StsFinding) { done.set_value(); });
    done.get_future().wait();
  }

  // Set up before the first request, or by inside().
  FakeFinder finder;
  FakeResolver resolver;
  FakeFetcher fetcher;
  FakeStore store;
  FakeClock clock;

  EventLog& events() { return events_; }
  StsLookup& sts() { return sts_; }
  DaneWatch& dane_watch() { return dane_watch_; }
  OverrideBook& overrides() { return overrides_; }

 private:
  TempDir dir_;
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_{
      io_.get_executor()};
  AnswerCache cache_;
  SocketmapServer socketmap_;
  EventLog events_;
  DaneWatch dane_watch_;
  StsLookup sts_;
  Refresher refresher_;
  OverrideBook overrides_;
  HttpServer server_;
  std::thread thread_;
};

}  // namespace sealane

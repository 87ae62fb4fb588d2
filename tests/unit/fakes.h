// SPDX-License-Identifier: Apache-2.0
// Fakes of the four ports.  Each records what it was asked.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lookup/clock.h"
#include "lookup/policy_fetcher.h"
#include "lookup/policy_store.h"
#include "lookup/resolver.h"

namespace sealane {

inline Domain domain(std::string_view text) {
  auto parsed = Domain::parse(text);
  REQUIRE_MESSAGE(parsed.has_value(), std::string(text));
  return *parsed;
}

/// Runs a task to its end on an io_context of its own and hands out its value.
template <class T>
T run(Task<T> task, boost::asio::io_context& io) {
  std::optional<T> value;
  std::exception_ptr error;
  boost::asio::co_spawn(io, std::move(task), [&](std::exception_ptr e, T v) {
    error = e;
    if (!e) value.emplace(std::move(v));
  });
  while (!value && !error && io.run_one() > 0) {
  }
  if (io.stopped()) io.restart();
  if (error) std::rethrow_exception(error);
  REQUIRE(value.has_value());
  return std::move(*value);
}

template <class T>
T run(Task<T> task) {
  boost::asio::io_context io;
  return run(std::move(task), io);
}

class FakeClock : public Clock {
 public:
  std::chrono::sys_seconds wall() const override { return wall_; }
  std::chrono::steady_clock::time_point steady() const override { return steady_; }
  void advance(std::chrono::seconds by) {
    wall_ += by;
    steady_ += by;
  }
  void step_wall(std::chrono::seconds by) { wall_ += by; }

 private:
  std::chrono::sys_seconds wall_{std::chrono::seconds{1'790'000'000}};
  std::chrono::steady_clock::time_point steady_{std::chrono::hours{1000}};
};

/// Answers from a map of "name TYPE"; what is not there is a secure NXDOMAIN.
class FakeResolver : public Resolver {
 public:
  std::map<std::string, DnsReply> replies;
  std::map<std::string, DnsReply> fresh_replies;  ///< for those that look again; else `replies`
  std::vector<std::string> asked;                 ///< "name TYPE", in order
  std::vector<std::string> asked_afresh;          ///< those of them that look again
  /// Questions that stay unanswered until release() is called with their text.
  std::map<std::string, std::vector<std::shared_ptr<boost::asio::steady_timer>>> held;
  std::vector<std::string> hold;

  static std::string text(const DnsQuestion& question) {
    return question.name.text() + " " + std::string(name_of(question.type));
  }

  void release(const std::string& what) {
    std::erase(hold, what);
    for (auto& timer : held[what]) timer->cancel();
    held.erase(what);
  }

  Task<DnsReply> ask(DnsQuestion question) override {
    const std::string what = text(question);
    asked.push_back(what);
    if (question.fresh) asked_afresh.push_back(what);
    if (std::find(hold.begin(), hold.end(), what) != hold.end()) {
      const auto executor = co_await boost::asio::this_coro::executor;
      auto timer = std::make_shared<boost::asio::steady_timer>(
          executor, boost::asio::steady_timer::time_point::max());
      held[what].push_back(timer);
      boost::system::error_code woken;
      co_await timer->async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, woken));
    }
    const auto fresh = fresh_replies.find(what);
    if (question.fresh && fresh != fresh_replies.end()) co_return fresh->second;
    const auto found = replies.find(what);
    if (found != replies.end()) co_return found->second;
    DnsReply none;
    none.status = DnsStatus::nxdomain;
    none.secure = true;
    none.ttl = std::chrono::seconds{300};
    co_return none;
  }

  std::size_t count(const std::string& what) const {
    return static_cast<std::size_t>(std::count(asked.begin(), asked.end(), what));
  }
};

inline DnsReply dns_ok(bool secure, std::chrono::seconds ttl = std::chrono::seconds{300}) {
  DnsReply reply;
  reply.status = DnsStatus::ok;
  reply.secure = secure;
  reply.ttl = ttl;
  return reply;
}
inline DnsReply dns_nodata(bool secure) {
  DnsReply reply = dns_ok(secure);
  reply.status = DnsStatus::nodata;
  return reply;
}
inline DnsReply dns_failed(std::string why, bool own_fault = false) {
  DnsReply reply;
  reply.why = std::move(why);
  reply.own_fault = own_fault;
  return reply;
}
inline DnsReply dns_address(bool secure, const std::vector<std::string>& addresses) {
  DnsReply reply = dns_ok(secure);
  for (const auto& text : addresses) {
    reply.addresses.push_back(boost::asio::ip::make_address(text));
  }
  return reply;
}
inline DnsReply dns_mx(bool secure, std::vector<MxRecord> records) {
  DnsReply reply = dns_ok(secure);
  reply.mx = std::move(records);
  return reply;
}
inline DnsReply dns_txt(std::vector<std::string> texts, bool secure = false) {
  DnsReply reply = dns_ok(secure);
  reply.txt = std::move(texts);
  return reply;
}
inline DnsReply dns_tlsa(bool secure, std::vector<TlsaRecord> records) {
  DnsReply reply = dns_ok(secure);
  reply.tlsa = std::move(records);
  return reply;
}
/// A well-formed 3 1 1 record.
inline TlsaRecord tlsa_311(std::uint8_t fill = 0xab) {
  return TlsaRecord{3, 1, 1, std::vector<std::uint8_t>(32, fill)};
}

class FakeFetcher : public PolicyFetcher {
 public:
  std::map<std::string, Fetched> policies;
  std::vector<std::string> asked;
  bool hold = false;
  std::vector<std::shared_ptr<boost::asio::steady_timer>> held;

  void release() {
    hold = false;
    for (auto& timer : held) timer->cancel();
    held.clear();
  }

  std::vector<std::string> asked_afresh;  ///< those of them that look everything up anew

  Task<Fetched> fetch(Domain policy_domain, bool fresh = false) override {
    asked.push_back(policy_domain.text());
    if (fresh) asked_afresh.push_back(policy_domain.text());
    if (hold) {
      const auto executor = co_await boost::asio::this_coro::executor;
      auto timer = std::make_shared<boost::asio::steady_timer>(
          executor, boost::asio::steady_timer::time_point::max());
      held.push_back(timer);
      boost::system::error_code woken;
      co_await timer->async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, woken));
    }
    const auto found = policies.find(policy_domain.text());
    if (found != policies.end()) co_return found->second;
    co_return tl::unexpected<FetchFailure>(FetchFailure{FetchProblem::status, "404", {}});
  }
};

class FakeStore : public PolicyStore {
 public:
  std::map<Domain, StsMemory> kept;
  bool broken = false;
  bool full = false;  ///< takes nothing
  std::size_t puts = 0;

  Task<Result<std::optional<StsMemory>>> find(Domain name) override {
    if (broken) co_return failure("the store is broken");
    const auto found = kept.find(name);
    if (found == kept.end()) co_return std::optional<StsMemory>();
    co_return std::optional<StsMemory>(found->second);
  }
  Task<Result<void>> put(Domain name, StsMemory memory) override {
    if (broken || full) co_return failure("the store is broken");
    ++puts;
    kept[name] = std::move(memory);
    co_return Result<void>();
  }
  Task<Result<void>> erase(Domain name) override {
    kept.erase(name);
    co_return Result<void>();
  }
  Task<Result<std::vector<std::pair<Domain, StsMemory>>>> walk(std::string after,
                                                               std::size_t limit) override {
    std::vector<std::pair<Domain, StsMemory>> rows;
    if (broken) co_return failure("the store is broken");
    auto row = after.empty() ? kept.begin() : kept.upper_bound(domain(after));
    for (; row != kept.end() && rows.size() < limit; ++row) rows.push_back(*row);
    co_return rows;
  }
  std::vector<Event> told;
  std::map<Domain, DaneMemory> dane;

  Task<Result<void>> add_event(Event event) override {
    if (broken) co_return failure("the store is broken");
    told.push_back(std::move(event));
    co_return Result<void>();
  }
  Task<Result<std::vector<StoredEvent>>> events(std::optional<Domain> name, std::size_t limit,
                                                std::uint64_t after) override {
    std::vector<StoredEvent> found;
    for (std::size_t i = after; i < told.size() && found.size() < limit; ++i) {
      if (!name || told[i].domain == *name) found.push_back({i + 1, told[i]});
    }
    co_return found;
  }
  Task<Result<void>> put_dane(Domain name, std::optional<DaneMemory> memory) override {
    if (broken) co_return failure("the store is broken");
    dane.erase(name);
    if (memory) dane.emplace(name, *memory);
    co_return Result<void>();
  }
  Task<Result<std::vector<std::pair<Domain, DaneMemory>>>> walk_dane(std::string after,
                                                                     std::size_t limit) override {
    std::vector<std::pair<Domain, DaneMemory>> rows;
    for (const auto& row : dane) {
      if (row.first.text() > after && rows.size() < limit) rows.push_back(row);
    }
    co_return rows;
  }
  Task<Result<StoreStats>> stats() override {
    if (broken) co_return failure("the store is broken");
    co_return StoreStats{kept.size(), kept.size()};
  }

  Elsewhere others;              ///< what other nodes have done
  std::vector<FetchPlan> plans;  ///< of the fetches that were about to begin
  std::map<Domain, std::chrono::sys_seconds> retracted;
  void taken_back(Domain name, std::chrono::sys_seconds when) override { retracted[name] = when; }
  Task<Elsewhere> elsewhere(Domain, FetchPlan plan) override {
    plans.push_back(std::move(plan));
    const auto executor = co_await boost::asio::this_coro::executor;
    if (others.policy) co_await boost::asio::post(executor, boost::asio::use_awaitable);
    co_return others;
  }
};

}  // namespace sealane

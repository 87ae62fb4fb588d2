// SPDX-License-Identifier: Apache-2.0
// Many fetches at a time, and their end.
#include <algorithm>
#include <boost/asio/detached.hpp>

#include "https_bench.h"

namespace sealane {
namespace {

TEST_CASE("waiting for a slot does not count towards the budget") {
  HttpsOptions options = with_budget(600ms);
  options.slots = {.fast = 1, .per_address = 1, .slow = 1, .waiting = 10};
  Bench bench(options);
  bench.start("silent.test", {"127.0.0.1"});
  bench.start("b.silent.test", {"127.0.0.1"});
  bench.start("good.test", {"127.0.0.1"});
  bench.run_until(3);
  REQUIRE(bench.results.size() == 3);
  CHECK(shown(bench.results[0].second) == "timeout: no answer within 0.6 s (reply)");
  CHECK(bench.results[1].first == "b.silent.test");
  CHECK(shown(bench.results[2].second) == "policy");
}

TEST_CASE("a host that hangs leaves its fast slot to others, and the oldest slow one is given up") {
  HttpsOptions options = usual_options();
  options.slots = {.fast = 1, .per_address = 1, .slow = 2, .waiting = 10};
  options.fast_time = 100ms;
  Bench bench(options);
  for (const char* name : {"a.silent.test", "b.silent.test", "c.silent.test", "good.test"}) {
    bench.start(name, {"127.0.0.1"});
  }
  const auto begun = Steady::now();
  bench.run_until(2);
  CHECK(Steady::now() - begun < 2s);
  CHECK(bench.results[0].first == "a.silent.test");
  CHECK(shown(bench.results[0].second) == "own: given up: too many slow fetches at once");
  CHECK(bench.results[1].first == "good.test");
  CHECK(shown(bench.results[1].second) == "policy");
}

TEST_CASE("one address at its limit does not hold up another") {
  HttpsOptions options = usual_options();
  options.slots = {.fast = 10, .per_address = 2, .slow = 10, .waiting = 10};
  Bench bench(options);
  for (const char* name : {"a.test", "b.test", "c.test", "d.test"}) {
    bench.start(name, {"127.0.0.3"});
  }
  bench.start("good.test", {"127.0.0.1"});
  bench.run_until(1);
  CHECK(bench.results[0].first == "good.test");
}

TEST_CASE("too many waiting is our own fault") {
  HttpsOptions options = usual_options();
  options.slots = {.fast = 1, .per_address = 1, .slow = 1, .waiting = 1};
  Bench bench(options);
  for (const char* name : {"a.test", "b.test", "c.test"}) bench.start(name, {"127.0.0.3"});
  bench.run_until(1);
  CHECK(shown(bench.results[0].second) == "own: too many policy fetches are waiting");
}

TEST_CASE("closing ends all fetches, running and waiting, as our own fault") {
  HttpsOptions options = usual_options();
  options.slots = {.fast = 3, .per_address = 3, .slow = 1, .waiting = 10};
  options.fast_time = 50ms;
  Bench bench(options);
  for (const char* name : {"a.test", "b.test", "c.test", "d.test", "e.test"}) {
    bench.start(name, {"127.0.0.3"});
  }
  bench.start("black.test", {"127.0.0.6"});
  bench.start("silent.test", {"127.0.0.1"});
  bench.io.run_for(200ms);
  const std::size_t before = bench.results.size();
  bench.fetcher->close();
  bench.run_until(7);
  REQUIRE(bench.results.size() == 7);
  for (std::size_t i = before; i < 7; ++i)
    CHECK(shown(bench.results[i].second) == "own: shutting down");
  CHECK(shown(bench.fetch("good.test")) == "own: shutting down");
}

TEST_CASE("an executor that is destroyed with fetches under way takes them along") {
  FakeResolver resolver;
  std::unique_ptr<HttpsFetcher> fetcher;
  {
    boost::asio::io_context io;
    HttpsOptions options = usual_options();
    options.slots = {.fast = 4, .per_address = 2, .slow = 1, .waiting = 10};
    fetcher = std::move(*HttpsFetcher::create(io.get_executor(), resolver, options));
    for (const char* name : {"a.test", "b.test", "c.test", "silent.test"}) {
      const bool own = std::string(name) == "silent.test";
      resolver.replies[fmt::format("mta-sts.{} A", name)] =
          dns_address(false, {own ? "127.0.0.1" : "127.0.0.3"});
      boost::asio::co_spawn(io, fetcher->fetch(domain(name)), boost::asio::detached);
    }
    io.run_for(200ms);
  }
  CHECK(fetcher != nullptr);
}

TEST_CASE("two hundred fetches at once all succeed") {
  Bench bench;
  for (int i = 0; i < 200; ++i) bench.start(fmt::format("n{}.good.test", i), {"127.0.0.1"});
  bench.run_until(200);
  CHECK(std::count_if(bench.results.begin(), bench.results.end(),
                      [](const auto& result) { return shown(result.second) == "policy"; }) == 200);
}

}  // namespace
}  // namespace sealane

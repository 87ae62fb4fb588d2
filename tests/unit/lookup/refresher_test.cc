// SPDX-License-Identifier: Apache-2.0
#include "lookup/refresher.h"

#include "fakes.h"
#include "lookup/freshness.h"

using namespace sealane;
using namespace std::chrono_literals;

namespace {

std::string policy_text(std::string_view mode, std::chrono::seconds max_age) {
  return fmt::format("version: STSv1\nmode: {}\nmx: mx.a.test\nmax_age: {}\n", mode,
                     max_age.count());
}

/// Domains with policies, a daemon that is asked for them once, and time.
struct World {
  FakeResolver dns;
  FakeFetcher web;
  FakeStore store;
  FakeClock clock;
  boost::asio::io_context io;
  std::unique_ptr<StsLookup> sts;
  std::unique_ptr<Refresher> refresher;

  World() { restart(); }
  void restart() {
    refresher.reset();
    sts = std::make_unique<StsLookup>(io.get_executor(), dns, web, store, clock);
    refresher = std::make_unique<Refresher>(io.get_executor(), *sts, store, clock);
  }
  void publish(const std::string& name, std::chrono::seconds max_age = 168h,
               std::string_view mode = "enforce", std::string_view id = "1") {
    dns.replies["_mta-sts." + name + " TXT"] = dns_txt({fmt::format("v=STSv1; id={}", id)});
    web.policies[name] = FetchedBody{policy_text(mode, max_age), "192.0.2.1"};
  }
  void fail(const std::string& name, FetchProblem problem = FetchProblem::status) {
    web.policies[name] = tl::unexpected<FetchFailure>(FetchFailure{problem, "404", {}});
  }
  StsClass ask(const std::string& name) {
    const auto deadline = std::chrono::steady_clock::now() + 5s;
    const StsFinding found = run(sts->find(domain(name), deadline), io);
    settle();
    return found.value;
  }
  /// Puts a policy into the store as an earlier process left it.
  void remember(const std::string& name, std::chrono::seconds age, std::chrono::seconds life,
                std::optional<std::chrono::seconds> asked_ago = 24h) {
    StsMemory memory;
    const auto fetched = clock.wall() - age;
    memory.policy = StoredPolicy{"1", policy_text("enforce", life), fetched, fetched + life};
    memory.txt_id = "1";
    if (asked_ago) memory.asked = clock.wall() - *asked_ago;
    store.kept[domain(name)] = memory;
  }
  void settle() {
    if (io.stopped()) io.restart();
    while (io.poll() > 0) {
    }
    if (io.stopped()) io.restart();
  }
  void tick() {
    sts->tick();
    refresher->tick();
    settle();
  }
  void live(std::chrono::seconds time, std::chrono::seconds step = 60s) {
    for (std::chrono::seconds lived{0}; lived < time; lived += step) {
      clock.advance(step);
      tick();
    }
  }
  std::size_t fetches(const std::string& name) const {
    return static_cast<std::size_t>(std::count(web.asked.begin(), web.asked.end(), name));
  }
  bool kept(const std::string& name) const { return store.kept.contains(domain(name)); }
};

std::chrono::seconds day_of(const std::string& name) { return refresh_age(168h, spread_of(name)); }

}  // namespace

TEST_CASE("a policy is renewed each day without a question") {
  World world;
  world.publish("a.test");
  world.ask("a.test");
  world.live(day_of("a.test") - 5min);
  CHECK(world.fetches("a.test") == 1);
  world.live(10min);
  CHECK(world.fetches("a.test") == 2);
  world.live(day_of("a.test"));
  CHECK(world.fetches("a.test") == 3);
  CHECK(world.refresher->counters().good == 2);
}

TEST_CASE("the daily fetch goes on although the TXT record is gone or cannot be looked up") {
  World world;
  world.publish("a.test");
  world.ask("a.test");
  world.dns.replies["_mta-sts.a.test TXT"] = dns_nodata(true);
  world.live(27h);
  CHECK(world.fetches("a.test") == 2);
  world.dns.replies["_mta-sts.a.test TXT"] = dns_failed("SERVFAIL");
  world.live(27h);
  CHECK(world.fetches("a.test") == 3);
  CHECK(world.ask("a.test") == StsClass::enforce);
}

TEST_CASE("a policy of less than two days is renewed at half its life, however short that is") {
  World world;
  world.publish("a.test", 12h);
  world.publish("b.test", 600s);
  world.ask("a.test");
  world.ask("b.test");
  world.live(24h);
  CHECK(world.fetches("a.test") == 5);
  CHECK(world.fetches("b.test") == 1 + 24 * 60 / 5);
}

TEST_CASE("a failing refresh is repeated after pauses that double to six hours") {
  World world;
  world.publish("a.test");
  world.ask("a.test");
  world.live(day_of("a.test") - 5min);
  world.fail("a.test");
  world.live(8min);
  CHECK(world.fetches("a.test") == 2);
  world.live(40min);  // after 5, 10, 20 min
  CHECK(world.fetches("a.test") == 5);
  world.live(40h);  // 40, 80, 160, 320, 360 … min
  CHECK(world.fetches("a.test") == 14);
  CHECK(world.ask("a.test") == StsClass::enforce);
}

TEST_CASE("the back-off survives a restart") {
  World world;
  world.publish("a.test");
  world.ask("a.test");
  world.fail("a.test");
  world.live(60h);
  const std::size_t before = world.fetches("a.test");
  world.restart();
  world.live(20min);
  CHECK(world.ask("a.test") == StsClass::enforce);
  CHECK(world.fetches("a.test") <= before + 1);
}

TEST_CASE("a policy is fetched once more when it ends, and then it is over and leaves the store") {
  World world;
  world.publish("a.test");
  world.ask("a.test");
  world.fail("a.test");
  world.live(168h - 2min);
  CHECK(world.kept("a.test"));
  const std::size_t before = world.fetches("a.test");
  world.live(30min);
  CHECK(world.fetches("a.test") == before + 1);
  CHECK_FALSE(world.kept("a.test"));
}

TEST_CASE("a fetch at the very end saves the policy") {
  World world;
  world.publish("a.test");
  world.ask("a.test");
  world.fail("a.test");
  world.live(168h - 2min);
  world.publish("a.test");
  world.live(30min);
  CHECK(world.kept("a.test"));
  CHECK(world.ask("a.test") == StsClass::enforce);
}

TEST_CASE("refreshing stops 30 days after the last question and begins again with the next") {
  World world;
  world.publish("a.test", 24h * 90);
  world.ask("a.test");
  world.live(24h * 30, 300s);
  const std::size_t month = world.fetches("a.test");
  CHECK(month >= 27);
  world.live(24h * 50, 600s);
  CHECK(world.fetches("a.test") <= month + 1);
  CHECK(world.ask("a.test") == StsClass::enforce);
  world.live(24h * 2, 300s);
  CHECK(world.fetches("a.test") >= month + 2);
}

TEST_CASE("an abandoned policy lives to its end, is tried once more and then forgotten") {
  World world;
  world.publish("a.test");
  world.ask("a.test");
  world.live(24h * 30, 300s);
  const std::size_t month = world.fetches("a.test");
  world.live(24h * 7 - 2h, 300s);
  CHECK(world.kept("a.test"));
  world.live(24h * 30, 600s);
  CHECK(world.fetches("a.test") <= month + 2);
  CHECK_FALSE(world.kept("a.test"));
}

TEST_CASE("a row of TXT errors is forgotten 7 days after the last") {
  World world;
  world.dns.replies["_mta-sts.a.test TXT"] = dns_failed("SERVFAIL");
  world.ask("a.test");
  world.live(24h * 7);
  CHECK(world.kept("a.test"));
  world.live(4h);
  CHECK_FALSE(world.kept("a.test"));
}

TEST_CASE("policies that are overdue at the start are spread over three hours") {
  World world;
  for (int i = 0; i < 300; ++i) {
    const std::string name = fmt::format("d{}.test", i);
    world.publish(name);
    world.remember(name, 40h, 168h);
  }
  world.restart();
  std::size_t most = 0;
  std::size_t before = 0;
  for (int slice = 0; slice < 18; ++slice) {
    world.live(10min);
    most = std::max(most, world.web.asked.size() - before);
    before = world.web.asked.size();
  }
  world.live(10min);
  CHECK(most < 40);
  CHECK(world.web.asked.size() == 300);
}

TEST_CASE("refreshes take a quarter of the slots at most") {
  World world;
  for (int i = 0; i < 300; ++i) {
    const std::string name = fmt::format("d{}.test", i);
    world.publish(name);
    world.remember(name, 20h, 168h);
  }
  world.restart();
  world.web.hold = true;
  world.live(8h);
  CHECK(world.web.held.size() == kMaxRefreshes);
  CHECK(world.web.asked.size() == kMaxRefreshes);
  world.web.release();
  world.settle();
  world.live(1h);
  CHECK(world.web.asked.size() == 300);
}

TEST_CASE("first contacts go first") {
  World world;
  for (int i = 0; i < 40; ++i) {
    const std::string name = fmt::format("d{}.test", i);
    world.publish(name);
    world.remember(name, 20h, 168h);
  }
  world.restart();
  world.web.hold = true;
  for (std::size_t i = 0; i < kBusyFetches; ++i) {
    const std::string name = fmt::format("new{}.test", i);
    world.publish(name);
    boost::asio::co_spawn(world.io, world.sts->find(domain(name), Deadline::max()),
                          [](std::exception_ptr, StsFinding) {});
  }
  world.live(8h);
  CHECK(world.web.asked.size() == kBusyFetches);
  world.web.release();
  world.settle();
  world.live(2min);
  CHECK(world.web.asked.size() == kBusyFetches + 40);
}

TEST_CASE("while our own network is broken one batch a minute is tried and nothing is lost") {
  World world;
  for (int i = 0; i < 200; ++i) {
    const std::string name = fmt::format("d{}.test", i);
    world.publish(name);
    world.remember(name, 20h, 168h);
    world.fail(name, FetchProblem::own);
  }
  world.restart();
  world.live(8h);
  const std::size_t tried = world.web.asked.size();
  world.live(10min);
  CHECK(world.web.asked.size() <= tried + 11 * kMaxRefreshes);
  for (int i = 0; i < 200; ++i) world.publish(fmt::format("d{}.test", i));
  world.live(1h);
  CHECK(world.refresher->counters().good == 200);
  CHECK(world.store.kept.size() == 200);
}

TEST_CASE("a wall clock that jumps a year lets nothing expire before a fetch was tried") {
  World world;
  world.publish("a.test");
  world.publish("b.test");
  world.ask("a.test");
  world.remember("b.test", 1h, 168h, 1h);
  world.live(1h);
  world.clock.step_wall(24h * 365);
  world.live(5min);
  CHECK(world.kept("a.test"));
  CHECK(world.kept("b.test"));
  CHECK(world.ask("a.test") == StsClass::enforce);
  CHECK(world.ask("b.test") == StsClass::enforce);
}

TEST_CASE("a clock that is a year ahead for an hour after the start loses no policy") {
  World world;
  world.publish("a.test");
  world.remember("a.test", 1h, 168h, 1h);
  world.fail("a.test");  // certificates do not fit the wrong time either
  world.clock.step_wall(24h * 365);
  world.restart();
  world.live(spread_of("a.test") * 10s);
  world.clock.step_wall(-24h * 365);
  world.live(1h);
  CHECK(world.ask("a.test") == StsClass::enforce);
}

TEST_CASE("a policy with times of the future is fetched at once") {
  World world;
  world.publish("a.test");
  world.remember("a.test", -24h * 300, 168h);
  world.restart();
  world.live(2min);
  CHECK(world.fetches("a.test") == 1);
  CHECK(world.store.kept[domain("a.test")].policy->fetched <= world.clock.wall());
}

TEST_CASE("refreshing many domains takes nobody's place in memory") {
  World world;
  StsLimits limits;
  limits.max_domains = 2;
  world.refresher.reset();
  world.sts = std::make_unique<StsLookup>(world.io.get_executor(), world.dns, world.web,
                                          world.store, world.clock, limits);
  world.refresher =
      std::make_unique<Refresher>(world.io.get_executor(), *world.sts, world.store, world.clock);
  world.publish("a.test");
  world.ask("a.test");
  for (int i = 0; i < 100; ++i) {
    const std::string name = fmt::format("d{}.test", i);
    world.publish(name);
    world.remember(name, 20h, 168h);
  }
  world.live(8h);
  CHECK(world.refresher->counters().good == 100);
  world.store.broken = true;  // so it is memory that answers
  CHECK(world.ask("a.test") == StsClass::enforce);
}

TEST_CASE("a store that fails is asked again at the next walk") {
  World world;
  world.publish("a.test");
  world.ask("a.test");
  world.store.broken = true;
  world.live(27h);
  CHECK(world.fetches("a.test") == 1);
  world.store.broken = false;
  world.live(11min);
  CHECK(world.fetches("a.test") == 2);
}

TEST_CASE("a closed refresher begins nothing") {
  World world;
  world.publish("a.test");
  world.ask("a.test");
  world.refresher->close();
  world.live(48h);
  CHECK(world.fetches("a.test") == 1);
}

// SPDX-License-Identifier: Apache-2.0
// What the history says of a domain's policy.
#include "fakes.h"
#include "lookup/refresher.h"
#include "lookup/sts_lookup.h"

using namespace sealane;
using namespace std::chrono_literals;

namespace {

struct Recorder : EventSink {
  std::vector<Event> told;
  void note(const Event& event) override { told.push_back(event); }
};

struct World {
  FakeResolver dns;
  FakeFetcher web;
  FakeStore store;
  FakeClock clock;
  Recorder events;
  boost::asio::io_context io;
  std::unique_ptr<StsLookup> sts;
  std::unique_ptr<Refresher> refresher;

  World() {
    restart();
    publish("enforce", "1");
  }
  void restart() {
    refresher.reset();
    StsLimits limits;
    limits.store_wait = 50ms;
    sts = std::make_unique<StsLookup>(io.get_executor(), dns, web, store, clock, limits, &events);
    refresher = std::make_unique<Refresher>(io.get_executor(), *sts, store, clock);
  }
  void txt(const std::string& id) {
    dns.replies["_mta-sts.a.test TXT"] = dns_txt({"v=STSv1; id=" + id});
  }
  void publish(std::string_view mode, const std::string& id, long max_age = 604800) {
    txt(id);
    const std::string body =
        fmt::format("version: STSv1\nmode: {}\nmx: mx.a.test\nmax_age: {}\n", mode, max_age);
    web.policies["a.test"] = FetchedBody{body, "192.0.2.1"};
  }
  void fail(const std::string& text) {
    web.policies["a.test"] =
        tl::unexpected<FetchFailure>(FetchFailure{FetchProblem::status, text, {}});
  }
  void ask() {
    run(sts->find(domain("a.test"), std::chrono::steady_clock::now() + 5s), io);
    settle();
  }
  void settle() {
    if (io.stopped()) io.restart();
    while (io.poll() > 0) {
    }
    if (io.stopped()) io.restart();
  }
  void live(std::chrono::seconds time) {
    for (std::chrono::seconds lived{0}; lived < time; lived += 60s) {
      clock.advance(60s);
      sts->tick();
      refresher->tick();
      settle();
    }
  }
  /// The kinds of all events since the last call, in order.
  std::string kinds() {
    std::string all;
    for (const Event& event : events.told) all += std::string(name_of(event.kind)) + " ";
    events.told.clear();
    return all;
  }
};

}  // namespace

TEST_CASE("a first policy and one that is stronger are told without a warning") {
  World world;
  world.publish("testing", "1");
  world.ask();
  REQUIRE(world.events.told.size() == 1);
  CHECK(world.events.told[0].severity == Severity::info);
  CHECK(world.events.told[0].new_value == "mode testing, id 1");
  CHECK(world.kinds() == "policy-new ");
  world.clock.advance(61s);
  world.publish("enforce", "2");
  world.ask();
  REQUIRE(world.events.told.size() == 2);
  CHECK(world.events.told[0].old_value == "1");
  CHECK(world.events.told[1].old_value == "mode testing, id 1");
  CHECK(world.kinds() == "id-changed policy-changed ");
}

TEST_CASE("enforce that becomes testing is a warning with both modes") {
  World world;
  world.ask();
  world.clock.advance(61s);
  world.publish("testing", "2");
  world.ask();
  const Event event = world.events.told.back();
  CHECK(event.kind == EventKind::policy_weaker);
  CHECK(event.severity == Severity::warning);
  CHECK(event.old_value == "mode enforce, id 1");
  CHECK(event.new_value == "mode testing, id 2");
}

TEST_CASE("a policy that changes under its id, and one with max_age 0, have names of their own") {
  World world;
  world.ask();
  world.publish("enforce", "1", 604801);
  world.live(27h);
  CHECK(world.kinds() == "policy-new policy-changed-without-new-id ");
  world.publish("enforce", "2", 0);
  world.ask();
  CHECK(world.kinds() == "id-changed policy-deleted ");
}

TEST_CASE("a TXT record that vanishes is told once, over restarts too, and its return") {
  World world;
  world.ask();
  world.dns.replies["_mta-sts.a.test TXT"] = dns_nodata(true);
  world.ask();
  world.ask();
  world.restart();
  world.live(72h);
  CHECK(world.events.told.back().severity == Severity::warning);
  CHECK(world.kinds() == "policy-new txt-vanished ");
  world.txt("1");
  world.ask();
  CHECK(world.kinds() == "txt-back ");
}

TEST_CASE("of a streak of failures the first is told, and another cause, and the third") {
  World world;
  world.ask();
  world.live(20h);
  world.fail("404");
  world.live(16h);
  CHECK(world.kinds() == "policy-new fetch-failed refresh-failing ");
  world.fail("503");
  world.live(12h);
  CHECK(world.events.told.back().text == "sts-policy-fetch-error: 503");
  CHECK(world.kinds() == "fetch-failed ");
}

TEST_CASE(
    "a failing refresh warns at half and at a fifth of the life, once each, then it is over") {
  World world;
  world.ask();
  world.fail("404");
  world.live(80h);
  CHECK(world.kinds() == "policy-new fetch-failed refresh-failing ");
  world.live(12h);
  CHECK(world.kinds() == "refresh-failing-50 ");
  world.restart();
  world.live(40h);
  CHECK(world.kinds() == "");
  world.live(16h);
  CHECK(world.kinds() == "refresh-failing-20 ");
  world.live(16h);
  CHECK(world.kinds() == "");
  world.live(5h);
  REQUIRE(world.events.told.size() == 1);
  CHECK(world.events.told[0].severity == Severity::error);
  CHECK(world.events.told[0].old_value == "mode enforce");
  CHECK(world.kinds() == "policy-expired ");
}

TEST_CASE("a domain that leaves MTA-STS by the book raises no alarm") {
  World world;
  world.ask();
  world.clock.advance(61s);
  world.publish("none", "2", 86400);
  world.ask();
  CHECK(world.kinds() == "policy-new id-changed policy-weaker ");
  world.dns.replies["_mta-sts.a.test TXT"] = dns_nodata(true);
  world.fail("404");
  world.live(30h);
  for (const Event& event : world.events.told) CHECK(event.severity == Severity::info);
  CHECK(world.kinds() == "txt-vanished fetch-failed policy-expired ");
  CHECK(world.store.kept.empty());
}

TEST_CASE("a policy that cannot be stored is an alarm") {
  World world;
  world.ask();
  world.clock.advance(61s);
  world.publish("enforce", "2");
  world.store.broken = true;
  world.ask();
  CHECK(world.events.told.back().severity == Severity::alarm);
  CHECK(world.kinds() == "policy-new id-changed policy-not-durable ");
}

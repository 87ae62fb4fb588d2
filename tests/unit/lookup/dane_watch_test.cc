// SPDX-License-Identifier: Apache-2.0
#include "lookup/dane_watch.h"

#include "fakes.h"
#include "lookup/event_log.h"

using namespace sealane;
using namespace std::chrono_literals;

namespace {

struct Recorder : EventSink {
  std::vector<Event> told;
  void note(const Event& event) override { told.push_back(event); }
};

HostFinding host(const std::string& name, HostState state, std::uint8_t fill = 0xab) {
  HostFinding found;
  found.name = name;
  found.domain = domain(name);
  found.state = state;
  found.secure = true;
  if (state == HostState::dane) found.records = {JudgedTlsa{tlsa_311(fill), true, {}, false}};
  return found;
}

DaneFinding finding(std::vector<HostFinding> hosts) {
  DaneFinding found;
  found.mx = MxStatus::ok;
  found.mx_secure = true;
  found.hosts = std::move(hosts);
  return found;
}

struct World {
  FakeStore store;
  FakeClock clock;
  Recorder events;
  boost::asio::io_context io;
  std::unique_ptr<DaneWatch> watch;

  World() { restart(); }
  void restart() {
    watch = std::make_unique<DaneWatch>(io.get_executor(), store, clock, events);
    watch->start();
    settle();
  }
  void settle() {
    io.restart();
    io.run();
  }
  void see(const DaneFinding& found, const NextHop& next_hop = {domain("a.test"), true, 25}) {
    watch->note(next_hop, found);
    settle();
  }
};

DaneFinding with_dane() { return finding({host("mx1.a.test", HostState::dane)}); }
DaneFinding without_dane() { return finding({host("mx1.a.test", HostState::none)}); }

}  // namespace

TEST_CASE("DANE that goes away is a warning, once, with the records that were there") {
  World world;
  world.see(with_dane());
  CHECK(world.events.told.empty());
  world.see(without_dane());
  world.see(without_dane());
  REQUIRE(world.events.told.size() == 1);
  const Event& event = world.events.told.front();
  CHECK(event.kind == EventKind::tlsa_vanished);
  CHECK(event.severity == Severity::warning);
  CHECK(event.old_value.starts_with("mx1.a.test 3 1 1 abababab"));
  CHECK(event.new_value == "D0");
  CHECK(world.store.dane.empty());
}

TEST_CASE("a change that happened while the daemon did not run is seen") {
  World world;
  world.see(with_dane());
  world.restart();
  world.see(without_dane());
  CHECK(world.events.told.size() == 1);
}

TEST_CASE("what could not be found out is no change") {
  World world;
  world.see(with_dane());
  world.see(finding({host("mx1.a.test", HostState::err)}));
  DaneFinding failed;
  world.see(failed);
  DaneFinding ours = without_dane();
  ours.own_fault = true;
  world.see(ours);
  world.see(with_dane());
  CHECK(world.events.told.empty());
  CHECK(world.store.dane.size() == 1);
}

TEST_CASE("a weaker class is a warning, a stronger one is none") {
  World world;
  const DaneFinding mixed =
      finding({host("mx1.a.test", HostState::dane), host("mx2.a.test", HostState::none)});
  world.see(with_dane());
  world.see(mixed);
  world.see(with_dane());
  REQUIRE(world.events.told.size() == 2);
  CHECK(world.events.told[0].kind == EventKind::dane_changed);
  CHECK(world.events.told[0].severity == Severity::warning);
  CHECK(world.events.told[0].old_value == "D-ALL");
  CHECK(world.events.told[0].new_value == "D-MIX");
  CHECK(world.events.told[1].severity == Severity::notice);
}

TEST_CASE("other records are told, another order is none") {
  World world;
  DaneFinding two = with_dane();
  two.hosts[0].records.push_back(JudgedTlsa{tlsa_311(1), true, {}, false});
  world.see(two);
  std::swap(two.hosts[0].records[0], two.hosts[0].records[1]);
  world.see(two);
  CHECK(world.events.told.empty());
  world.see(with_dane());
  REQUIRE(world.events.told.size() == 1);
  CHECK(world.events.told[0].kind == EventKind::tlsa_changed);
  CHECK(world.events.told[0].severity == Severity::info);
}

TEST_CASE("records that differ only in octets that are not shown are other records") {
  DaneFinding other = with_dane();
  other.hosts[0].records[0].record.data.back() ^= 1;
  CHECK(tlsa_text(other) != tlsa_text(with_dane()));
}

TEST_CASE("domains without DANE, literals and other ports leave no trace") {
  World world;
  world.see(without_dane());
  world.see(with_dane(), NextHop{domain("a.test"), false, 25});
  world.see(with_dane(), NextHop{domain("a.test"), true, 587});
  CHECK(world.watch->watched() == 0);
  CHECK(world.store.dane.empty());
}

TEST_CASE("a set of records too large to be shown is still compared whole") {
  std::vector<HostFinding> hosts;
  for (int i = 0; i < 50; ++i)
    hosts.push_back(host(fmt::format("mx{}.a.test", i), HostState::dane));
  const DaneFinding many = finding(hosts);
  CHECK(tlsa_text(many).size() < 100);
  hosts[49].records[0].record.data[0] = 1;
  CHECK(tlsa_text(many) != tlsa_text(finding(hosts)));
}

TEST_CASE("a domain that is asked for often is written once a day") {
  World world;
  world.see(with_dane());
  const auto first = world.store.dane[domain("a.test")].seen;
  world.clock.advance(23h);
  world.see(with_dane());
  CHECK(world.store.dane[domain("a.test")].seen == first);
  world.clock.advance(1h);
  world.see(with_dane());
  CHECK(world.store.dane[domain("a.test")].seen == first + 24h);
}

TEST_CASE("when the store of memories is full, newcomers find no place until old ones go") {
  World world;
  for (std::size_t i = 0; i < kMaxDaneWatched; ++i) {
    world.store.dane.emplace(domain(fmt::format("d{:05}.test", i)),
                             DaneMemory{DaneClass::all, "", world.clock.wall()});
  }
  world.restart();
  world.see(with_dane());
  CHECK(world.watch->watched() == kMaxDaneWatched);
  world.clock.advance(kDaneUnseen + 1h);
  world.see(with_dane());
  CHECK(world.watch->watched() == 1);
  CHECK(world.store.dane.size() == 1);
}

TEST_CASE("the event log counts, keeps, and tells the hook of warnings only") {
  FakeStore store;
  Recorder hook;
  boost::asio::io_context io;
  EventLog events(io.get_executor(), store, &hook);
  Event event{std::chrono::sys_seconds(1s),
              domain("a.test"),
              EventKind::policy_new,
              Severity::info,
              "text",
              "",
              std::string(5000, 'x')};
  events.note(event);
  event.kind = EventKind::policy_weaker;
  event.severity = Severity::warning;
  events.note(event);
  io.run();
  REQUIRE(store.told.size() == 2);
  CHECK(store.told[0].new_value.size() == kMaxEventText);
  REQUIRE(hook.told.size() == 1);
  CHECK(hook.told[0].kind == EventKind::policy_weaker);
  CHECK(events.counters().warnings == 1);
  CHECK(events.counters().kinds[static_cast<std::size_t>(EventKind::policy_new)] == 1);
}

TEST_CASE("events that the store cannot take are counted as lost, and so is a flood") {
  FakeStore store;
  store.broken = true;
  boost::asio::io_context io;
  EventLog events(io.get_executor(), store, nullptr);
  const Event event{std::chrono::sys_seconds(1s),
                    domain("a.test"),
                    EventKind::policy_new,
                    Severity::info,
                    "",
                    "",
                    ""};
  for (std::size_t i = 0; i < kMaxEventsUnderWay + 3; ++i) events.note(event);
  CHECK(events.counters().lost == 3);
  io.run();
  CHECK(events.counters().lost == kMaxEventsUnderWay + 3);
}

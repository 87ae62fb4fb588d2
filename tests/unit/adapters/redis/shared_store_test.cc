// SPDX-License-Identifier: Apache-2.0
#include "adapters/redis/shared_store.h"

#include "adapters/redis/shared_row.h"
#include "adapters/store/sqlite_store.h"
#include "base/log.h"
#include "lookup/waiting.h"
#include "redis_server.h"

namespace sealane {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::sys_seconds;

const Domain kName = *Domain::parse("example.net");

std::string body_of(std::string_view mode, int max_age = 86'400) {
  return fmt::format("version: STSv1\nmode: {}\nmx: mx.example.net\nmax_age: {}\n", mode, max_age);
}

StoredPolicy policy_at(sys_seconds fetched, std::string_view mode = "enforce", int life = 86'400) {
  return {"1", body_of(mode, life), fetched, fetched + seconds{life}};
}

StsMemory memory_with(StoredPolicy policy) {
  StsMemory memory;
  memory.policy = std::move(policy);
  return memory;
}

std::unique_ptr<PolicyStore> store_in(const TestFolder& folder) {
  auto opened = SqliteStore::open({"sqlite:" + folder.path("db"), false});
  REQUIRE_MESSAGE(opened.has_value(), opened.error());
  return std::move(*opened);
}

/// One node of a fleet, with a local store of its own.
struct Node {
  Node(asio::io_context& loop, FakeClock& time, const RedisOptions& options)
      : io(loop), clock(time) {
    auto opened = store_in(folder);
    local = opened.get();
    auto made = SharedStore::create(io.get_executor(), std::move(opened), options, clock);
    REQUIRE_MESSAGE(made.has_value(), made.error());
    store = std::move(*made);
    store->start();
  }
  ~Node() {
    store->close();
    if (io.stopped()) io.restart();
    io.run_for(milliseconds{100});
  }
  bool settles() {
    return until(io, [this] { return store->connected() && store->unwritten() == 0; });
  }
  /// What others know, for a node that knows nothing.
  std::optional<StoredPolicy> theirs(const Domain& name = kName) {
    FetchPlan plan;
    plan.awaited = true;
    return run(store->elsewhere(name, plan), io).policy;
  }
  std::optional<StoredPolicy> find_locally(const Domain& name = kName) {
    const auto found = run(store->find(name), io);
    REQUIRE(found.has_value());
    return *found ? (*found)->policy : std::nullopt;
  }
  void put(StoredPolicy policy, const Domain& name = kName) {
    REQUIRE(run(store->put(name, memory_with(std::move(policy))), io).has_value());
  }
  void put_locally(StoredPolicy policy, const Domain& name = kName) {
    REQUIRE(run(local->put(name, memory_with(std::move(policy))), io).has_value());
  }
  Elsewhere elsewhere(FetchPlan plan) { return run(store->elsewhere(kName, std::move(plan)), io); }

  TestFolder folder;
  asio::io_context& io;
  FakeClock& clock;
  PolicyStore* local = nullptr;
  std::unique_ptr<SharedStore> store;
};

struct Fleet {
  Fleet() {
    REQUIRE(talker.connects());
    REQUIRE(a.settles());
    REQUIRE(b.settles());
  }
  sys_seconds now() const { return clock.wall(); }

  RedisServer server;
  asio::io_context io;
  FakeClock clock;
  LogCapture logged;
  Node a{io, clock, server.by_socket()};
  Node b{io, clock, server.by_socket()};
  Talker talker{io, server.by_socket()};
};

TEST_CASE("what one node has learnt, another one finds") {
  Fleet fleet;
  CHECK_FALSE(fleet.b.theirs().has_value());
  const StoredPolicy policy = policy_at(fleet.now() - seconds{100});
  fleet.a.put(policy);
  CHECK(fleet.a.find_locally() == policy);  // durable here before anybody else hears of it
  REQUIRE(fleet.a.settles());
  CHECK(fleet.b.theirs() == policy);
  CHECK_FALSE(fleet.b.find_locally().has_value());  // whoever takes it over puts it
}

TEST_CASE("a row goes with its policy") {
  Fleet fleet;
  fleet.a.put(policy_at(fleet.now() - seconds{400}, "enforce", 1000));
  REQUIRE(fleet.a.settles());
  const int left = std::stoi(fleet.talker.ask({"TTL", policy_key(kName)}));
  CHECK(left > 590);
  CHECK(left <= 600);
}

TEST_CASE("the fresher policy is taken, an older or another one is not") {
  Fleet fleet;
  FetchPlan plan;
  plan.known = policy_at(fleet.now() - seconds{1000});
  const auto taken = [&](const StoredPolicy& policy) {
    REQUIRE(fleet.talker.ask({"SET", policy_key(kName), row_text(kName, policy)}) == "OK");
    return fleet.b.elsewhere(plan).policy.has_value();
  };
  CHECK_FALSE(taken(policy_at(fleet.now() - seconds{1001})));
  CHECK(taken(policy_at(fleet.now() - seconds{10})));
  CHECK_FALSE(taken(policy_at(fleet.now() - seconds{10}, "testing")));
  CHECK_FALSE(taken(policy_at(fleet.now() - seconds{10}, "none")));
  StoredPolicy evil = policy_at(fleet.now() - seconds{10});
  evil.body.replace(evil.body.find("mx.example.net"), 14, "mx.evil.example");
  CHECK_FALSE(taken(evil));
}

TEST_CASE("the later fetch stays in the shared store") {
  Fleet fleet;
  const std::string key = policy_key(kName);
  const std::string newer = row_text(kName, policy_at(fleet.now() - seconds{5}));
  REQUIRE(fleet.talker.ask({"SET", key, newer}) == "OK");
  fleet.a.put(policy_at(fleet.now() - seconds{1000}));
  REQUIRE(fleet.a.settles());
  CHECK(fleet.talker.ask({"GET", key}) == newer);
  fleet.a.put(policy_at(fleet.now() - seconds{1}, "none"));
  REQUIRE(fleet.a.settles());
  CHECK(fleet.talker.ask({"GET", key}) ==
        row_text(kName, policy_at(fleet.now() - seconds{1}, "none")));
}

TEST_CASE("a row that is wrong is as good as none, told once, and replaced by a good one") {
  Fleet fleet;
  const sys_seconds now = fleet.now();
  const auto spoilt = [&](const std::function<void(StoredPolicy&)>& spoil) {
    StoredPolicy policy = policy_at(now - seconds{10});
    spoil(policy);
    return row_text(kName, policy);
  };
  const std::vector<std::string> rows{
      "",
      "junk",
      std::string(100'000, 'x'),
      std::string(2'000'000, 'x'),
      row_text(domain("example.org"), policy_at(now - seconds{10})),
      spoilt([](auto& p) { p.id = "no id"; }),
      spoilt([](auto& p) { p.id.assign(33, '1'); }),
      spoilt([](auto& p) { p.body = "version: STSv2\n"; }),
      spoilt([](auto& p) { p.body = body_of("enforce", 0); }),
      spoilt([](auto& p) { p.body += std::string(65'536, 'x'); }),
      spoilt([&](auto& p) { p.fetched = now + seconds{301}; }),
      spoilt([&](auto& p) {
        p.fetched = now - seconds{90'000};
        p.expires = now;
      }),
      spoilt([](auto& p) { p.expires = p.fetched; }),
      spoilt([](auto& p) { p.expires = p.fetched - seconds{1}; }),
      spoilt([](auto& p) { p.expires = p.fetched + seconds{86'401}; })};
  for (const std::string& row : rows) {
    CAPTURE(row.substr(0, 200));
    REQUIRE(fleet.talker.ask({"SET", policy_key(kName), row}) == "OK");
    CHECK_FALSE(fleet.b.theirs().has_value());
  }
  REQUIRE(fleet.talker.ask({"DEL", policy_key(kName)}) == "1");
  REQUIRE(fleet.talker.ask({"LPUSH", policy_key(kName), "a list"}) == "1");
  CHECK_FALSE(fleet.b.theirs().has_value());
  CHECK(fleet.logged.count("shared_store_row_ignored") == 1);
  CHECK(fleet.logged.count("shared_store_away") == 0);

  REQUIRE(fleet.talker.ask({"DEL", policy_key(kName)}) == "1");
  REQUIRE(fleet.talker.ask({"SET", policy_key(kName), "junk"}) == "OK");
  const StoredPolicy good = policy_at(now - seconds{10});
  fleet.a.put(good);
  REQUIRE(fleet.a.settles());
  CHECK(fleet.b.theirs() == good);
}

TEST_CASE("a row from a clock a little ahead is taken as fetched now") {
  Fleet fleet;
  const StoredPolicy ahead = policy_at(fleet.now() + seconds{60});
  REQUIRE(fleet.talker.ask({"SET", policy_key(kName), row_text(kName, ahead)}) == "OK");
  CHECK(fleet.b.theirs() == policy_at(fleet.now()));
}

TEST_CASE("without a server a node goes on alone, at once") {
  asio::io_context io;
  FakeClock clock;
  const LogCapture logged;
  RedisOptions nowhere;
  nowhere.socket = "/nonexistent/redis";
  Node node(io, clock, nowhere);
  const auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < 100; ++i) {
    const Domain name = domain(fmt::format("d{}.example", i));
    node.put(policy_at(clock.wall()), name);
    CHECK(node.find_locally(name).has_value());
    FetchPlan plan;
    const Elsewhere other = node.elsewhere(plan);
    CHECK_FALSE(other.policy.has_value());
    CHECK_FALSE(other.under_way);
  }
  CHECK(std::chrono::steady_clock::now() - began < seconds{5});
  CHECK(node.store->unwritten() == 100);
  CHECK(logged.count("shared_store_away") == 1);
}

TEST_CASE("a server that is killed and comes back empty is filled again, by what was learnt too") {
  Fleet fleet;
  std::vector<Domain> names;
  for (int i = 0; i < 600; ++i) {
    names.push_back(domain(fmt::format("d{:03}.example", i)));
    fleet.a.put_locally(policy_at(fleet.now()), names.back());
  }
  const StoredPolicy before = policy_at(fleet.now() - seconds{20});
  fleet.a.put(before);
  REQUIRE(fleet.a.settles());
  CHECK(fleet.b.theirs() == before);
  fleet.server.kill();
  REQUIRE(until(fleet.io, [&] { return !fleet.a.store->connected(); }));
  CHECK(fleet.a.find_locally() == before);
  const StoredPolicy during = policy_at(fleet.now() - seconds{10});
  fleet.a.put(during, domain("late.example"));

  fleet.server.start();
  REQUIRE(fleet.a.settles());
  REQUIRE(fleet.b.settles());
  REQUIRE(fleet.talker.connects());
  CHECK(fleet.talker.ask({"DBSIZE"}) == "602");
  CHECK(fleet.b.theirs(domain("late.example")) == during);
  CHECK(fleet.b.theirs(names.front()).has_value());
  CHECK(fleet.b.theirs(names.back()).has_value());
}

TEST_CASE("a server that hangs delays a lookup by 200 ms, and the next ones not at all") {
  Fleet fleet;
  fleet.server.signal(SIGSTOP);
  const auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < 50; ++i) CHECK_FALSE(fleet.b.theirs().has_value());
  CHECK(std::chrono::steady_clock::now() - began < seconds{1});
  fleet.server.signal(SIGCONT);
}

TEST_CASE("one node renews, and the others take what it got") {
  Fleet fleet;
  const StoredPolicy old = policy_at(fleet.now() - seconds{40'000});
  FetchPlan plan;
  plan.known = old;
  plan.id = "1";
  const Elsewhere first = fleet.a.elsewhere(plan);
  CHECK_FALSE(first.policy.has_value());
  CHECK_FALSE(first.under_way);
  CHECK(fleet.b.elsewhere(plan).under_way);

  SUBCASE("nobody waits where an answer waits, or where life is short") {
    plan.awaited = true;
    CHECK_FALSE(fleet.b.elsewhere(plan).under_way);
    plan.awaited = false;
    plan.known->expires = fleet.now() + seconds{3600};
    CHECK_FALSE(fleet.b.elsewhere(plan).under_way);
  }
  SUBCASE("the lock goes by itself") {
    const int left = std::stoi(fleet.talker.ask({"PTTL", lock_key(kName)}));
    CHECK(left > 0);
    CHECK(left <= 70'000);
    REQUIRE(fleet.talker.ask({"DEL", lock_key(kName)}) == "1");
    CHECK_FALSE(fleet.b.elsewhere(plan).under_way);
  }
  const StoredPolicy renewed = policy_at(fleet.now());
  fleet.a.put(renewed);
  REQUIRE(fleet.a.settles());
  CHECK(fleet.b.elsewhere(plan).policy == renewed);
  plan.id = "2";
  CHECK_FALSE(fleet.b.elsewhere(plan).policy.has_value());
}

TEST_CASE("a policy that was taken back goes for all; one that is erased here does not") {
  Fleet fleet;
  const std::string key = policy_key(kName);
  const sys_seconds fetched = fleet.now() - seconds{100};
  fleet.a.put(policy_at(fetched));
  REQUIRE(fleet.a.settles());
  REQUIRE(run(fleet.a.store->erase(kName), fleet.io).has_value());
  REQUIRE(fleet.a.settles());
  CHECK(fleet.talker.ask({"GET", key}) != "nil");
  SUBCASE("taken back") {
    fleet.a.store->taken_back(kName, fetched);
    REQUIRE(fleet.a.settles());
    CHECK(fleet.talker.ask({"GET", key}) == "nil");
  }
  SUBCASE("taken back before it was fetched") {
    fleet.a.store->taken_back(kName, fetched - seconds{1});
    REQUIRE(fleet.a.settles());
    CHECK(fleet.talker.ask({"GET", key}) != "nil");
  }
  SUBCASE("taken back while the local store still has it") {
    fleet.a.put_locally(policy_at(fetched));
    fleet.a.store->taken_back(kName, fetched);
    REQUIRE(fleet.a.settles());
    CHECK(fleet.talker.ask({"GET", key}) == "nil");
  }
  SUBCASE("taken back, and fetched again") {
    fleet.a.store->taken_back(kName, fetched + seconds{10});
    fleet.a.put(policy_at(fleet.now()));
    REQUIRE(fleet.a.settles());
    CHECK(fleet.b.theirs() == policy_at(fleet.now()));
  }
}

/// One whose reading hangs, as behind a disk that is slow.
class StalledStore : public FakeStore {
 public:
  Task<Result<std::optional<StsMemory>>> find(Domain name) override {
    while (stalled) co_await go_on.wait_until(Deadline::max());
    auto found = co_await FakeStore::find(std::move(name));
    co_return found;
  }
  bool stalled = true;
  Signal go_on;
};

TEST_CASE("what is put behind an erasure stays, however slowly the local store reads") {
  asio::io_context io;
  FakeClock clock;
  const LogCapture logged;
  RedisOptions nowhere;
  nowhere.socket = "/nonexistent/redis";
  auto owned = std::make_unique<StalledStore>();
  StalledStore& local = *owned;
  local.kept[kName] = memory_with(policy_at(clock.wall() - seconds{10}));
  const auto store =
      std::move(*SharedStore::create(io.get_executor(), std::move(owned), nowhere, clock));
  int done = 0;
  const auto count = [&done](std::exception_ptr, Result<void> kept) { done += kept ? 1 : 0; };
  asio::co_spawn(io, store->erase(kName), count);
  asio::co_spawn(io, store->put(kName, memory_with(policy_at(clock.wall()))), count);
  io.run_for(milliseconds{20});
  local.stalled = false;
  local.go_on.notify();
  if (io.stopped()) io.restart();
  io.run_for(milliseconds{20});
  CHECK(done == 2);
  CHECK(local.kept.contains(kName));
}

TEST_CASE("a server that takes no more says so once, and gets all when it does again") {
  RedisServer server({"--maxmemory", "1"});
  asio::io_context io;
  FakeClock clock;
  const LogCapture logged;
  Talker talker(io, server.by_socket());
  REQUIRE(talker.connects());
  SUBCASE("what is learnt") {
    Node node(io, clock, server.by_socket());
    for (int i = 0; i < 10; ++i) {
      node.put(policy_at(clock.wall()), domain(fmt::format("d{}.example", i)));
    }
    REQUIRE(until(io, [&] { return logged.count("shared_store_refuses") > 0; }));
    CHECK(node.find_locally(domain("d9.example")).has_value());
    io.run_for(milliseconds{500});
    CHECK(node.store->unwritten() >= 10);
    REQUIRE(talker.ask({"CONFIG", "SET", "maxmemory", "0"}) == "OK");
    REQUIRE(node.settles());
  }
  SUBCASE("what was known") {
    server.kill();
    Node node(io, clock, server.by_socket());
    for (int i = 0; i < 10; ++i) {
      node.put_locally(policy_at(clock.wall()), domain(fmt::format("d{}.example", i)));
    }
    server.start();
    REQUIRE(until(io, [&] { return logged.count("shared_store_refuses") > 0; }));
    io.run_for(milliseconds{500});
    CHECK(logged.count("shared_store_filled") == 0);
    REQUIRE(talker.connects());
    REQUIRE(talker.ask({"CONFIG", "SET", "maxmemory", "0"}) == "OK");
    REQUIRE(node.settles());
    CHECK(logged.count("shared_store_filled") == 1);
  }
  CHECK(talker.ask({"DBSIZE"}) == "10");
  CHECK(logged.count("shared_store_refuses") == 1);
}

TEST_CASE("closed in the midst of a write, it has nothing left to wait for") {
  RedisServer server;
  asio::io_context io;
  FakeClock clock;
  const LogCapture logged;
  Node node(io, clock, server.by_socket());
  REQUIRE(node.settles());
  server.signal(SIGSTOP);
  node.put(policy_at(clock.wall()));
  io.run_for(milliseconds{50});
  CHECK(node.store->unwritten() == 1);
  node.store->close();
  const auto began = std::chrono::steady_clock::now();
  io.run_for(seconds{10});
  CHECK(io.stopped());
  CHECK(std::chrono::steady_clock::now() - began < seconds{1});
  server.signal(SIGCONT);
}

TEST_CASE("more than the notes hold is left to a walk over the local store") {
  RedisServer server;
  server.kill();
  asio::io_context io;
  FakeClock clock;
  const LogCapture logged;
  Node node(io, clock, server.by_socket());
  // The notes are full of names that are gone again; what came later is in the local store alone.
  const std::size_t count = kMaxNoted + 500;
  std::size_t done = 0;
  for (std::size_t i = 0; i < count; ++i) {
    asio::co_spawn(io,
                   node.store->put(domain(fmt::format("d{:05}.example", i)),
                                   memory_with(policy_at(clock.wall()))),
                   [&done](std::exception_ptr, Result<void> kept) { done += kept ? 1 : 0; });
  }
  REQUIRE(until(
      io, [&] { return done == count; }, seconds{60}));
  CHECK(node.store->unwritten() <= kMaxNoted + 1);
  server.start();
  REQUIRE(until(
      io, [&] { return node.store->connected() && node.store->unwritten() == 0; }, seconds{60}));
  Talker talker(io, server.by_socket());
  REQUIRE(talker.connects());
  CHECK(talker.ask({"DBSIZE"}) == std::to_string(count));
}

}  // namespace
}  // namespace sealane

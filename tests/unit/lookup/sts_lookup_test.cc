// SPDX-License-Identifier: Apache-2.0
#include "lookup/sts_lookup.h"

#include "fakes.h"
#include "lookup/sts_entry.h"

using namespace sealane;
using namespace std::chrono_literals;

namespace {

std::string policy_text(std::string_view mode, long max_age = 604800,
                        std::string_view mx = "mx.a.test") {
  return fmt::format("version: STSv1\nmode: {}\nmx: {}\nmax_age: {}\n", mode, mx, max_age);
}

/// The domain a.test with its TXT record and policy, which each case changes.
struct World {
  FakeResolver dns;
  FakeFetcher web;
  FakeStore store;
  FakeClock clock;
  StsLimits limits;
  boost::asio::io_context io;
  std::unique_ptr<StsLookup> lookup;

  World() {
    limits.txt_wait = 40ms;
    limits.fetch_wait = 60ms;
    limits.store_wait = 50ms;
    txt("1");
    web.policies["a.test"] = FetchedBody{policy_text("enforce"), "192.0.2.1"};
    restart();
  }
  void restart() {
    lookup = std::make_unique<StsLookup>(io.get_executor(), dns, web, store, clock, limits);
  }
  void txt(const std::string& id) {
    dns.replies["_mta-sts.a.test TXT"] = dns_txt({"v=STSv1; id=" + id});
  }
  void txt_fails() { dns.replies["_mta-sts.a.test TXT"] = dns_failed("SERVFAIL"); }
  void txt_gone() { dns.replies["_mta-sts.a.test TXT"] = dns_nodata(true); }
  void policy(std::string_view mode, long max_age = 604800) {
    web.policies["a.test"] = FetchedBody{policy_text(mode, max_age), "192.0.2.1"};
  }
  void fetch_fails(FetchProblem problem = FetchProblem::status, std::string text = "404",
                   std::vector<std::string> unreachable = {}) {
    web.policies["a.test"] =
        tl::unexpected<FetchFailure>(FetchFailure{problem, std::move(text), unreachable});
  }
  StsFinding find(std::string_view name = "a.test") {
    StsFinding found = run(lookup->find(domain(name), std::chrono::steady_clock::now() + 5s), io);
    settle();
    return found;
  }
  /// Lets everything run that is ready.
  void settle() {
    if (io.stopped()) io.restart();
    while (io.poll() > 0) {
    }
    if (io.stopped()) io.restart();
  }
  std::size_t fetches() const { return web.asked.size(); }
};

}  // namespace

TEST_CASE("a first contact fetches the policy and keeps it before it answers") {
  World world;
  const StsFinding found = world.find();
  CHECK(found.value == StsClass::enforce);
  CHECK(found.id == "1");
  CHECK(found.policy->allows(domain("mx.a.test")));
  REQUIRE(world.store.kept.count(domain("a.test")) == 1);
  CHECK(world.store.kept[domain("a.test")].policy->body == policy_text("enforce"));
}

TEST_CASE("testing and none are classes of their own") {
  World world;
  world.policy("testing");
  CHECK(world.find().value == StsClass::testing);
  World other;
  other.policy("none");
  CHECK(other.find().value == StsClass::mode_none);
}

TEST_CASE("no record, several records and an invalid one are S0 and nothing is fetched or stored") {
  World world;
  world.txt_gone();
  CHECK(world.find().value == StsClass::none);
  world.dns.replies["_mta-sts.a.test TXT"] = dns_txt({"v=STSv1; id=1", "v=STSv1; id=2"});
  CHECK(world.find().value == StsClass::none);
  world.dns.replies["_mta-sts.a.test TXT"] = dns_txt({"v=STSv1; id=-"});
  CHECK(world.find().value == StsClass::none);
  CHECK(world.fetches() == 0);
  CHECK(world.store.kept.empty());
}

TEST_CASE("a known policy survives a vanished, failing and invalid TXT record") {
  World world;
  world.find();
  world.txt_gone();
  CHECK(world.find().value == StsClass::enforce);
  world.txt_fails();
  CHECK(world.find().value == StsClass::enforce);
  world.dns.replies["_mta-sts.a.test TXT"] = dns_txt({"v=STSv1; id=!"});
  CHECK(world.find().value == StsClass::enforce);
  CHECK(world.fetches() == 1);
}

TEST_CASE("a new id is fetched at once and the new policy replaces the old one whatever its mode") {
  World world;
  world.find();
  world.clock.advance(61s);
  world.txt("2");
  world.policy("none");
  const StsFinding found = world.find();
  CHECK(found.value == StsClass::mode_none);
  CHECK(found.id == "2");
  CHECK(world.lookup->counters().downgrades == 1);
}

TEST_CASE("a new id whose fetch fails leaves the old policy to its own expiry") {
  World world;
  world.find();
  world.clock.advance(61s);
  world.txt("2");
  world.fetch_fails();
  CHECK(world.find().value == StsClass::enforce);
  world.clock.advance(std::chrono::hours{24 * 6});
  CHECK(world.find().value == StsClass::enforce);
  world.clock.advance(std::chrono::hours{24 * 1});
  CHECK(world.find().value == StsClass::fetch_failed);
}

TEST_CASE("an unchanged id does not move the expiry") {
  World world;
  world.find();
  const auto expires = world.find().expires;
  world.clock.advance(std::chrono::hours{2});
  CHECK(world.find().expires == expires);
  CHECK(world.fetches() == 1);
}

TEST_CASE("a day after the fetch the policy is fetched anew and its life begins again") {
  World world;
  const auto before = world.find().expires;
  const auto day = refresh_age(604800s, spread_of("a.test"));
  world.clock.advance(day - 1s);
  world.find();
  CHECK(world.fetches() == 1);
  world.clock.advance(1s);
  world.find();
  CHECK(world.fetches() == 2);
  CHECK(*world.find().expires - *before == day);
}

TEST_CASE("the policy is looked at a second time ten minutes after a new id") {
  World world;
  world.find();
  world.clock.advance(61s);
  world.txt("2");
  world.find();
  CHECK(world.fetches() == 2);
  world.policy("testing");  // published a little after its id
  world.clock.advance(kSecondFetch);
  world.lookup->tick();
  world.settle();
  CHECK(world.fetches() == 3);
  CHECK(world.find().value == StsClass::testing);
}

TEST_CASE("a first fetch that fails is S-FETCH and is repeated after 5, 10 and each 15 minutes") {
  World world;
  world.fetch_fails();
  CHECK(world.find().value == StsClass::fetch_failed);
  for (const auto pause : {5min, 10min, 15min, 15min}) {
    const std::size_t before = world.fetches();
    world.clock.advance(pause - 1s);
    CHECK(world.find().value == StsClass::fetch_failed);
    CHECK(world.fetches() == before);
    world.clock.advance(1s);
    world.find();
    CHECK(world.fetches() == before + 1);
  }
}

TEST_CASE("another id ends the back-off but a domain is fetched once a minute at most") {
  World world;
  world.fetch_fails();
  world.find();
  world.txt("2");
  world.policy("enforce");
  world.clock.advance(59s);
  CHECK(world.find().value == StsClass::pending);
  CHECK(world.fetches() == 1);
  world.clock.advance(1s);
  CHECK(world.find().value == StsClass::enforce);
}

TEST_CASE("a policy that breaks the grammar is a failed fetch") {
  World world;
  world.web.policies["a.test"] = FetchedBody{"<html>", "192.0.2.1"};
  const StsFinding found = world.find();
  CHECK(found.value == StsClass::fetch_failed);
  CHECK(found.reason.find("invalid policy") != std::string::npos);
}

TEST_CASE("a fetch that fails because of us is no verdict and soon tried again") {
  World world;
  world.fetch_fails(FetchProblem::own, "no route");
  CHECK(world.find().value == StsClass::own_fault);
  CHECK(world.find().value == StsClass::own_fault);
  CHECK(world.fetches() == 1);
  world.clock.advance(kOwnFaultPause);
  world.policy("enforce");
  CHECK(world.find().value == StsClass::enforce);
}

TEST_CASE("when no policy host can be reached it is us and the third domain is not S-FETCH") {
  World world;
  for (const char* name : {"a", "b", "c"}) {
    const std::string host = std::string(name) + ".test";
    world.dns.replies["_mta-sts." + host + " TXT"] = dns_txt({"v=STSv1; id=1"});
    FetchFailure failure{FetchProblem::connect, "refused", {std::string("192.0.2.") + name[0]}};
    world.web.policies[host] = tl::unexpected<FetchFailure>(failure);
  }
  CHECK(world.find("a.test").value == StsClass::fetch_failed);
  CHECK(world.find("b.test").value == StsClass::fetch_failed);
  CHECK(world.find("c.test").value == StsClass::own_fault);
}

TEST_CASE("a TXT error is open until three failures over fifteen minutes, then S0") {
  World world;
  world.txt_fails();
  CHECK(world.find().value == StsClass::txt_error);
  world.clock.advance(8min);
  CHECK(world.find().value == StsClass::txt_error);
  world.clock.advance(7min);
  const StsFinding found = world.find();
  CHECK(found.value == StsClass::none);
  CHECK(found.txt_bound_reached);
}

TEST_CASE("two failures over fifteen minutes are not enough, nor are many within less") {
  World world;
  world.txt_fails();
  world.find();
  world.clock.advance(20min);
  CHECK(world.find().value == StsClass::txt_error);
  World other;
  other.txt_fails();
  for (int i = 0; i < 29; ++i) {
    CHECK(other.find().value == StsClass::txt_error);
    other.clock.advance(30s);
  }
}

TEST_CASE("the streak of TXT errors survives a restart and ends with any answer") {
  World world;
  world.txt_fails();
  world.find();
  world.clock.advance(8min);
  world.find();
  world.restart();
  world.clock.advance(7min);
  CHECK(world.find().txt_bound_reached);
  world.txt_gone();
  CHECK(world.find().value == StsClass::none);
  CHECK(world.store.kept.empty());
}

TEST_CASE("a definite none of less than a day ago stands in for a TXT error") {
  World world;
  world.txt_gone();
  world.find();
  world.txt_fails();
  world.clock.advance(kNoneLife);
  CHECK(world.find().value == StsClass::none);
  world.clock.advance(1s);
  CHECK(world.find().value == StsClass::txt_error);
}

TEST_CASE("the daemon repeats a failing TXT lookup by itself for an hour after the last question") {
  World world;
  world.txt_fails();
  world.find();
  const std::string question = "_mta-sts.a.test TXT";
  CHECK(world.dns.count(question) == 1);
  for (const auto pause : {30s, 60s, 120s, 300s, 300s}) {
    const std::size_t before = world.dns.count(question);
    world.clock.advance(pause - 1s);
    world.lookup->tick();
    world.settle();
    CHECK(world.dns.count(question) == before);
    world.clock.advance(1s);
    world.lookup->tick();
    world.settle();
    CHECK(world.dns.count(question) == before + 1);
  }
  world.clock.advance(std::chrono::hours{1});
  world.lookup->tick();
  world.settle();
  const std::size_t last = world.dns.count(question);
  world.clock.advance(std::chrono::hours{1});
  world.lookup->tick();
  world.settle();
  CHECK(world.dns.count(question) == last);
}

TEST_CASE("a resolver that is down is our own fault, not a TXT error") {
  World world;
  world.dns.replies["_mta-sts.a.test TXT"] = dns_failed("no resolver answers", true);
  CHECK(world.find().value == StsClass::own_fault);
  CHECK(world.store.kept.empty());
}

TEST_CASE("a policy outlives a restart and a dead policy host") {
  World world;
  world.find();
  world.restart();
  world.fetch_fails(FetchProblem::connect, "refused");
  world.txt_fails();
  CHECK(world.find().value == StsClass::enforce);
}

TEST_CASE("a clock that was wrong does not lengthen a stored policy's life") {
  World world;
  world.find();
  StsMemory& memory = world.store.kept[domain("a.test")];
  memory.policy->fetched += std::chrono::hours{24 * 3000};
  memory.policy->expires += std::chrono::hours{24 * 3000};
  world.restart();
  const StsFinding found = world.find();
  CHECK(*found.expires == world.clock.wall() + 604800s);
}

TEST_CASE("in process a policy's life counts on the steady clock") {
  World world;
  world.find();
  world.clock.step_wall(std::chrono::hours{24 * 365});
  CHECK(world.find().value == StsClass::enforce);
  world.clock.step_wall(-std::chrono::hours{24 * 730});
  world.clock.advance(604800s);
  world.fetch_fails();
  CHECK(world.find().value == StsClass::fetch_failed);
}

TEST_CASE("an expired policy is fetched before it is given up, even when the TXT record is gone") {
  World world;
  world.find();
  world.txt_gone();
  world.clock.advance(604800s);
  CHECK(world.find().value == StsClass::enforce);
  CHECK(world.fetches() == 2);
}

TEST_CASE("an expired policy of a domain that cannot be reached because of us stays open") {
  World world;
  world.find();
  world.clock.advance(604800s);
  world.fetch_fails(FetchProblem::own, "no route");
  CHECK(world.find().value == StsClass::own_fault);
  CHECK(world.store.kept.count(domain("a.test")) == 1);
}

TEST_CASE("max_age 0 deletes the stored policy and the fetched one is used for five minutes") {
  World world;
  world.find();
  world.clock.advance(61s);
  world.txt("2");
  world.policy("enforce", 0);
  CHECK(world.find().value == StsClass::enforce);
  CHECK(world.store.kept.empty());
  world.fetch_fails();
  world.clock.advance(kMinPolicyLife - 1s);
  CHECK(world.find().value == StsClass::enforce);
  world.clock.advance(1s);
  CHECK(world.find().value == StsClass::pending);
  world.clock.advance(kFetchSpacing);
  CHECK(world.find().value == StsClass::fetch_failed);
}

TEST_CASE("after its end a policy is fetched with the back-off of a first contact") {
  World world;
  world.find();
  world.fetch_fails();
  world.clock.advance(604800s - 30s);
  CHECK(world.find().value == StsClass::enforce);
  world.clock.advance(60s);
  CHECK(world.find().value == StsClass::fetch_failed);
  world.policy("enforce");
  world.clock.advance(kMaxBackoff);
  CHECK(world.find().value == StsClass::enforce);
}

TEST_CASE("what TXT said days ago does not answer for a lookup that hangs now") {
  World world;
  world.txt_gone();
  CHECK(world.find().value == StsClass::none);
  world.clock.advance(std::chrono::hours{25});
  world.dns.hold = {"_mta-sts.a.test TXT"};
  CHECK(world.find().value == StsClass::pending);
  world.dns.release("_mta-sts.a.test TXT");
  world.settle();
}

TEST_CASE("an invalid record is no definite none") {
  World world;
  world.dns.replies["_mta-sts.a.test TXT"] = dns_txt({"v=STSv1; id=!"});
  CHECK(world.find().value == StsClass::none);
  world.clock.advance(10min);
  world.txt_fails();
  CHECK(world.find().value == StsClass::txt_error);
}

TEST_CASE("a failure that the resolver has kept is counted once") {
  World world;
  DnsReply kept = dns_failed("SERVFAIL");
  kept.ttl = 300s;
  world.dns.replies["_mta-sts.a.test TXT"] = kept;
  for (int i = 0; i < 10; ++i) {
    world.find();
    world.clock.advance(30s);
  }
  CHECK(world.store.kept[domain("a.test")].txt_errors.count == 1);
}

TEST_CASE("a policy that could not be written is written with the next question") {
  World world;
  world.find();
  world.store.broken = true;
  world.clock.advance(61s);
  world.txt("2");
  world.find();
  world.store.broken = false;
  world.find();
  CHECK(world.store.kept[domain("a.test")].policy->id == "2");
}

TEST_CASE("a kept policy that has run out is no \"none\" for a domain without a host") {
  World world;
  world.find();
  world.clock.advance(604800s);
  world.web.hold = true;
  CHECK(run(world.lookup->find_known(domain("a.test")), world.io).value == StsClass::own_fault);
  world.web.release();
  world.settle();
  CHECK(run(world.lookup->find_known(domain("a.test")), world.io).value == StsClass::enforce);
}

TEST_CASE("a loopback policy host or a bad certificate does not hide or fake a broken network") {
  World world;
  const auto fail = [&world](const std::string& host, FetchProblem problem,
                             std::vector<std::string> unreachable) {
    world.dns.replies["_mta-sts." + host + " TXT"] = dns_txt({"v=STSv1; id=1"});
    world.web.policies[host] =
        tl::unexpected<FetchFailure>(FetchFailure{problem, "failed", std::move(unreachable)});
    return world.find(host).value;
  };
  CHECK(fail("a.test", FetchProblem::connect, {"192.0.2.1"}) == StsClass::fetch_failed);
  CHECK(fail("b.test", FetchProblem::connect, {"192.0.2.2"}) == StsClass::fetch_failed);
  CHECK(fail("loop.test", FetchProblem::address, {}) == StsClass::fetch_failed);
  CHECK(fail("c.test", FetchProblem::connect, {"192.0.2.3"}) == StsClass::own_fault);
  CHECK(world.find("a.test").value == StsClass::own_fault);
  CHECK(fail("d.test", FetchProblem::tls, {"192.0.2.4"}) == StsClass::fetch_failed);
  CHECK(world.find("a.test").value == StsClass::fetch_failed);
}

TEST_CASE("a store that cannot be read is our own fault and never an empty one") {
  World world;
  world.find();
  world.restart();
  world.store.broken = true;
  CHECK(world.find().value == StsClass::own_fault);
  world.store.broken = false;
  CHECK(world.find().value == StsClass::enforce);
}

TEST_CASE("a stored policy that can no longer be read is temporary until a fetch replaces it") {
  World world;
  world.find();
  world.store.kept[domain("a.test")].policy->body = "rubbish";
  world.restart();
  world.fetch_fails();
  CHECK(world.find().value == StsClass::own_fault);
  world.policy("enforce");
  world.clock.advance(61s);
  CHECK(world.find().value == StsClass::enforce);
}

TEST_CASE("a policy that cannot be stored is used from memory and counted") {
  World world;
  StsFinding found = world.find();
  world.store.broken = true;
  world.clock.advance(61s);
  world.txt("2");
  found = world.find();
  CHECK(found.value == StsClass::enforce);
  CHECK(world.lookup->counters().not_durable == 1);
}

TEST_CASE("many askers of one domain share one lookup and one fetch") {
  World world;
  world.web.hold = true;
  int answered = 0;
  for (int i = 0; i < 20; ++i) {
    boost::asio::co_spawn(
        world.io, world.lookup->find(domain("a.test"), std::chrono::steady_clock::now() + 5s),
        [&](std::exception_ptr, StsFinding found) {
          if (found.value == StsClass::enforce) ++answered;
        });
  }
  world.settle();
  world.web.release();
  while (answered < 20) world.io.run_one();
  CHECK(world.dns.count("_mta-sts.a.test TXT") == 1);
  CHECK(world.fetches() == 1);
}

TEST_CASE("a slow first fetch is pending and its result counts for the next asker") {
  World world;
  world.web.hold = true;
  CHECK(world.find().value == StsClass::pending);
  world.web.release();
  world.settle();
  CHECK(world.find().value == StsClass::enforce);
}

TEST_CASE("a known policy does not wait for a slow TXT server or a slow daily fetch") {
  World world;
  world.find();
  world.dns.hold = {"_mta-sts.a.test TXT"};
  CHECK(world.find().value == StsClass::enforce);
  world.dns.release("_mta-sts.a.test TXT");
  world.settle();
  world.clock.advance(std::chrono::hours{27});
  world.web.hold = true;
  CHECK(world.find().value == StsClass::enforce);
  CHECK(world.fetches() == 2);
  world.web.release();
  world.settle();
}

TEST_CASE("what is known is told without a question to the network") {
  World world;
  CHECK(run(world.lookup->find_known(domain("a.test")), world.io).value == StsClass::none);
  CHECK(world.dns.asked.empty());
  world.find();
  world.restart();
  world.dns.asked.clear();
  CHECK(run(world.lookup->find_known(domain("a.test")), world.io).value == StsClass::enforce);
  CHECK(world.dns.asked.empty());
}

TEST_CASE("the memory is bounded and what leaves it comes back from the store") {
  World world;
  world.limits.max_domains = 2;
  world.restart();
  for (const char* name : {"a.test", "b.test", "c.test", "d.test"}) {
    world.dns.replies[std::string("_mta-sts.") + name + " TXT"] = dns_txt({"v=STSv1; id=1"});
    world.web.policies[name] = FetchedBody{policy_text("enforce"), "192.0.2.1"};
    CHECK(world.find(name).value == StsClass::enforce);
  }
  CHECK(world.find("a.test").value == StsClass::enforce);
  CHECK(world.fetches() == 4);
}

namespace {

/// Erases when it is told to.
struct SlowStore : FakeStore {
  std::shared_ptr<boost::asio::steady_timer> gate;

  Task<Result<void>> erase(Domain name) override {
    boost::system::error_code woken;
    co_await gate->async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, woken));
    kept.erase(name);
    co_return Result<void>();
  }
};

}  // namespace

TEST_CASE("what a question finds of a domain that is being purged is forgotten with it") {
  SlowStore store;
  World world;
  world.lookup = std::make_unique<StsLookup>(world.io.get_executor(), world.dns, world.web, store,
                                             world.clock, world.limits);
  CHECK(world.find().value == StsClass::enforce);
  world.txt_gone();
  store.gate = std::make_shared<boost::asio::steady_timer>(
      world.io, boost::asio::steady_timer::time_point::max());
  bool purged = false;
  boost::asio::co_spawn(world.io, world.lookup->operations().purge(domain("a.test")),
                        [&](std::exception_ptr error, Result<StsPurged> result) {
                          purged = !error && result.has_value();
                        });
  world.settle();
  CHECK_FALSE(purged);
  CHECK(world.find().value == StsClass::enforce);
  store.gate->cancel();
  world.settle();
  CHECK(purged);
  CHECK(store.kept.empty());
  store.gate->expires_after(0s);  // it erases at once
  CHECK(world.find().value == StsClass::none);
  store.gate.reset();  // before its loop
}

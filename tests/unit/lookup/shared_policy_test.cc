// SPDX-License-Identifier: Apache-2.0
#include "lookup/shared_policy.h"

#include "fakes.h"
#include "lookup/sts_lookup.h"

namespace sealane {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using std::chrono::sys_seconds;

const sys_seconds kNow{seconds{1'790'000'000}};

StoredPolicy policy(std::string_view mode, sys_seconds fetched, std::string id = "1",
                    int life = 604'800) {
  std::string body =
      fmt::format("version: STSv1\nmode: {}\nmx: mx.example.net\nmax_age: {}\n", mode, life);
  return {std::move(id), std::move(body), fetched, fetched + seconds{life}};
}

std::string refusal(const StoredPolicy& theirs) {
  const auto good = vetted(theirs, kNow);
  return good ? "believed" : good.error();
}

TEST_CASE("what a node may have written is believed") {
  const StoredPolicy theirs = policy("enforce", kNow - seconds{10});
  CHECK(*vetted(theirs, kNow) == theirs);
  CHECK(refusal(policy("none", kNow, "")) == "believed");
  CHECK(refusal(policy("enforce", kNow, std::string(32, 'a'))) == "believed");
  CHECK(refusal(policy("enforce", kNow - seconds{604'799})) == "believed");
}

TEST_CASE("a life shorter than max_age says is believed, a longer one is not") {
  StoredPolicy theirs = policy("enforce", kNow);
  theirs.expires -= seconds{1000};
  CHECK(refusal(theirs) == "believed");
  theirs.expires += seconds{1001};
  CHECK(refusal(theirs) == "it lives 604801 s, and its max_age is 604800");
  theirs = policy("enforce", kNow, "1", 10);
  theirs.expires = kNow + seconds{300};  // the least life
  CHECK(refusal(theirs) == "believed");
  theirs.expires = kNow + seconds{301};
  CHECK(refusal(theirs) == "it lives 301 s, and its max_age is 10");
}

TEST_CASE("a time of fetch five minutes ahead is brought back to now, one beyond is refused") {
  const auto ahead = vetted(policy("enforce", kNow + minutes{5}), kNow);
  REQUIRE(ahead.has_value());
  CHECK(*ahead == policy("enforce", kNow));
  CHECK(refusal(policy("enforce", kNow + minutes{5} + seconds{1})) ==
        "it was fetched in the future");
}

TEST_CASE("what is over, unreadable or cannot be kept is refused") {
  CHECK(refusal(policy("enforce", kNow - seconds{604'800})) == "it is over");
  CHECK(refusal(policy("enforce", kNow, "a b")) == "the id is none");
  CHECK(refusal(policy("enforce", kNow, std::string(33, 'a'))) == "the id is none");
  CHECK(refusal(policy("strict", kNow)).starts_with("the policy is invalid"));
  StoredPolicy gone = policy("enforce", kNow, "1", 0);
  gone.expires = kNow + seconds{300};
  CHECK(refusal(gone) == "max_age 0 is not kept");
}

TEST_CASE("theirs takes the place of ours when it is the same text, and prolongs it") {
  const std::vector<std::string_view> modes{"none", "testing", "enforce"};
  for (const std::string_view ours : modes) {
    for (const std::string_view theirs : modes) {
      CAPTURE(ours);
      CAPTURE(theirs);
      const StoredPolicy known = policy(ours, kNow - seconds{100});
      CHECK(improves(known, policy(theirs, kNow - seconds{99})) == (theirs == ours));
      CHECK_FALSE(improves(known, policy(theirs, kNow - seconds{100})));
      CHECK_FALSE(improves(known, policy(theirs, kNow - seconds{101})));
    }
  }
  CHECK(improves(std::nullopt, policy("none", kNow)));
}

TEST_CASE("theirs does not take the place of ours with other hosts or another life") {
  const StoredPolicy known = policy("enforce", kNow - seconds{1000});
  StoredPolicy theirs = policy("enforce", kNow);
  REQUIRE(improves(known, theirs));
  theirs.body.replace(theirs.body.find("mx.example.net"), 14, "mx.evil.example");
  CHECK_FALSE(improves(known, theirs));
  theirs = policy("enforce", kNow);
  theirs.body += "mx: mx.evil.example\n";
  CHECK_FALSE(improves(known, theirs));
  CHECK_FALSE(improves(known, policy("enforce", kNow, "1", 900'000)));
  theirs = policy("enforce", kNow);
  theirs.expires = known.expires;  // over in its midst, and gone if the fetch then fails
  CHECK_FALSE(improves(known, theirs));
  theirs.expires += seconds{1};
  CHECK(improves(known, theirs));
}

TEST_CASE("ours that cannot be read may be stronger than theirs, whatever that says") {
  StoredPolicy unreadable = policy("enforce", kNow - seconds{100});
  unreadable.body = "junk";
  for (const std::string_view mode : {"none", "testing", "enforce"}) {
    CHECK_FALSE(improves(unreadable, policy(mode, kNow)));
  }
}

TEST_CASE("a fetch is spared by a policy under the id of the TXT record that is really newer") {
  FetchPlan plan;
  CHECK(spares_fetch(plan, policy("enforce", kNow)));
  plan.id = "2";
  CHECK_FALSE(spares_fetch(plan, policy("enforce", kNow)));
  plan.known = policy("enforce", kNow - seconds{60});
  CHECK(spares_fetch(plan, policy("enforce", kNow, "2")));
  CHECK_FALSE(spares_fetch(plan, policy("testing", kNow, "2")));
  plan.known = policy("enforce", kNow - minutes{9}, "2");
  CHECK(spares_fetch(plan, policy("enforce", kNow, "2")));
  CHECK_FALSE(spares_fetch(plan, policy("enforce", kNow - seconds{1}, "2")));
}

TEST_CASE("another node is waited for where nobody waits and time is left") {
  FetchPlan plan;
  CHECK_FALSE(can_wait(plan, kNow));
  plan.known = policy("enforce", kNow - seconds{1000});
  CHECK(can_wait(plan, kNow));
  plan.awaited = true;
  CHECK_FALSE(can_wait(plan, kNow));
  plan.awaited = false;
  plan.known->expires = kNow + kTurnsAbove;
  CHECK_FALSE(can_wait(plan, kNow));
}

/// A lookup whose store knows of other nodes.
struct Shared {
  Shared() { resolver.replies["_mta-sts.example.net TXT"] = dns_txt({"v=STSv1; id=2;"}); }
  StsFinding find() {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{5};
    StsFinding found = run(sts.find(domain("example.net"), deadline), io);
    io.run_for(std::chrono::milliseconds{20});
    io.restart();
    return found;
  }

  boost::asio::io_context io;
  FakeClock clock;
  FakeResolver resolver;
  FakeFetcher fetcher;
  FakeStore store;
  StsLookup sts{io.get_executor(), resolver, fetcher, store, clock};
};

TEST_CASE("first contact: what another node has fetched is used, and durable, without a fetch") {
  Shared shared;
  shared.store.others.policy = policy("enforce", shared.clock.wall() - seconds{1000}, "2");
  const StsFinding found = shared.find();
  CHECK(found.value == StsClass::enforce);
  CHECK(found.expires == shared.clock.wall() + seconds{603'800});
  CHECK(shared.fetcher.asked.empty());
  REQUIRE(shared.store.kept.contains(domain("example.net")));
  CHECK(shared.store.kept.at(domain("example.net")).policy == shared.store.others.policy);
  REQUIRE(shared.store.plans.size() == 1);
  CHECK(shared.store.plans[0].id == "2");
  CHECK(shared.store.plans[0].awaited);
  CHECK_FALSE(shared.store.plans[0].known.has_value());
  CHECK(shared.sts.counters().taken_over == 1);
  CHECK(shared.sts.counters().fetches == 0);
}

TEST_CASE("what another node knows stands in for a TXT record that is kept from us") {
  Shared shared;
  for (const DnsReply& reply : {dns_nodata(false), dns_failed("SERVFAIL"), dns_txt({"v=spf1"})}) {
    shared.resolver.replies["_mta-sts.example.net TXT"] = reply;
    CHECK(shared.find().value != StsClass::enforce);
    shared.clock.advance(seconds{301});
  }
  shared.store.others.policy = policy("enforce", shared.clock.wall() - seconds{1000}, "2");
  CHECK(shared.find().value == StsClass::enforce);
  CHECK(shared.store.kept.contains(domain("example.net")));
  CHECK(shared.store.plans.back().id.empty());
  CHECK(shared.fetcher.asked.empty());
}

TEST_CASE("another's policy lives to its own end, not to one counted from now") {
  Shared shared;
  shared.store.others.policy =
      policy("enforce", shared.clock.wall() - seconds{86'000}, "2", 86'400);
  CHECK(shared.find().value == StsClass::enforce);
  shared.store.others = {};
  shared.clock.advance(seconds{401});
  CHECK(shared.find().value != StsClass::enforce);
}

TEST_CASE("a refresh is left to the node that is at it, and taken up when that has ended") {
  Shared shared;
  StsMemory memory;
  memory.policy = policy("enforce", shared.clock.wall() - seconds{100'000}, "2");
  memory.asked = shared.clock.wall();
  shared.store.kept[domain("example.net")] = memory;
  shared.store.others.under_way = true;
  shared.clock.advance(std::chrono::hours{4});  // beyond what is spread after a start
  CHECK(shared.find().value == StsClass::enforce);
  CHECK(shared.store.plans.size() == 1);
  CHECK_FALSE(shared.store.plans[0].awaited);
  CHECK(shared.fetcher.asked.empty());
  const StoredPolicy renewed = policy("enforce", shared.clock.wall(), "2");
  shared.store.others = {renewed, false};
  CHECK(run(shared.sts.refresh(domain("example.net")), shared.io) == Refreshed::good);
  CHECK(shared.fetcher.asked.empty());
  CHECK(shared.store.kept.at(domain("example.net")).policy == renewed);
}

TEST_CASE("a lock that never goes holds a refresh up for 70 seconds") {
  Shared shared;
  StsMemory memory;
  memory.policy = policy("enforce", shared.clock.wall() - seconds{100'000}, "2");
  shared.store.kept[domain("example.net")] = memory;
  shared.store.others.under_way = true;
  shared.fetcher.policies.emplace("example.net", FetchedBody{policy("enforce", kNow).body, "::1"});
  shared.clock.advance(std::chrono::hours{4});  // beyond what is spread after a start
  const auto refresh = [&] { return run(shared.sts.refresh(domain("example.net")), shared.io); };
  CHECK(refresh() == Refreshed::not_due);
  shared.clock.advance(kLockLife - seconds{1});
  CHECK(refresh() == Refreshed::not_due);
  CHECK(shared.fetcher.asked.empty());
  shared.clock.advance(seconds{1});
  SUBCASE("asked for") { CHECK(refresh() == Refreshed::good); }
  SUBCASE("or not") {
    shared.sts.tick();
    shared.io.run_for(std::chrono::milliseconds{20});
  }
  CHECK(shared.fetcher.asked.size() == 1);
  CHECK(shared.store.kept.at(domain("example.net")).policy->fetched == shared.clock.wall());
}

TEST_CASE("what another node knows counts where nothing is looked up, and is kept") {
  Shared shared;
  shared.store.others.policy = policy("enforce", shared.clock.wall() - seconds{1000}, "2");
  const StsFinding found = run(shared.sts.find_known(domain("example.net")), shared.io);
  CHECK(found.value == StsClass::enforce);
  CHECK(shared.store.kept.at(domain("example.net")).policy == shared.store.others.policy);
  CHECK(shared.resolver.asked.empty());
  CHECK(shared.fetcher.asked.empty());
  CHECK(run(shared.sts.find_known(domain("example.net")), shared.io).value == StsClass::enforce);
  CHECK(shared.store.plans.size() == 1);
}

TEST_CASE("others hear of max_age 0 and of a purge, not of a policy that nobody asks for") {
  Shared shared;
  const Domain name = domain("example.net");
  const FetchedBody gone{"version: STSv1\nmode: none\nmax_age: 0\n", "::1"};
  shared.fetcher.policies.emplace("example.net", gone);
  SUBCASE("max_age 0") {
    const auto before = shared.clock.wall();
    shared.find();
    CHECK(shared.store.retracted == std::map<Domain, sys_seconds>{{name, before}});
    CHECK_FALSE(shared.store.kept.contains(name));
  }
  StsMemory memory;
  memory.policy = policy("enforce", shared.clock.wall() - seconds{100}, "2");
  SUBCASE("purged") {
    shared.store.kept[name] = memory;
    REQUIRE(run(shared.sts.operations().purge(name), shared.io).has_value());
    CHECK(shared.store.retracted.contains(name));
  }
  SUBCASE("forgotten") {
    memory.policy->expires = shared.clock.wall();
    shared.store.kept[name] = memory;
    spawn_detached(shared.io.get_executor(), shared.sts.forget(name), "test");
    shared.io.run_for(std::chrono::milliseconds{20});
    CHECK_FALSE(shared.store.kept.contains(name));
    CHECK(shared.store.retracted.empty());
  }
}

TEST_CASE("another's policy that cannot be read does not keep us from fetching") {
  Shared shared;
  shared.store.others.policy = policy("enforce", shared.clock.wall(), "2");
  shared.store.others.policy->body = "junk";
  shared.fetcher.policies.emplace("example.net", FetchedBody{policy("enforce", kNow).body, "::1"});
  CHECK(shared.find().value == StsClass::enforce);
  CHECK(shared.fetcher.asked.size() == 1);
}

}  // namespace
}  // namespace sealane

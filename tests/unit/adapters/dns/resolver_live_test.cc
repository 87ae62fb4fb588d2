// SPDX-License-Identifier: Apache-2.0
// What the resolver makes of real resolvers: good ones, foolish ones, dead ones.
#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <thread>

#include "adapters/dns/dns_cache.h"
#include "base/text.h"
#include "live_fixture.h"

using namespace sealane;
using namespace std::chrono_literals;
using std::chrono::steady_clock;

TEST_CASE("every kind of answer comes out as the validating resolver vouches for it") {
  World world({kValidating});
  const std::map<std::pair<std::string, RrType>, std::string> expected{
      {{"good.test", RrType::a}, "ok secure"},
      {{"good.test", RrType::aaaa}, "ok secure"},
      {{"_25._tcp.good.test", RrType::tlsa}, "ok secure"},
      {{"good.test", RrType::tlsa}, "nodata secure"},
      {{"nope.test", RrType::a}, "nxdomain secure"},
      {{"x.wild.test", RrType::a}, "ok secure"},
      {{"x.wild.test", RrType::tlsa}, "nodata secure"},
      {{"plain.test", RrType::mx}, "ok insecure"},
      {{"_mta-sts.plain.test", RrType::txt}, "ok insecure"},
      {{"www.plain.test", RrType::tlsa}, "nodata insecure"},
      {{"nope.plain.test", RrType::a}, "nxdomain insecure"},
      {{"nope.optout.test", RrType::a}, "nxdomain insecure"},
      {{"www.optout.test", RrType::a}, "ok secure"},
      {{"www.bogus.test", RrType::a}, "failed: SERVFAIL"},
      {{"tobogus.test", RrType::a}, "failed: SERVFAIL"},
      {{"loop1.test", RrType::a}, "failed: SERVFAIL"},
      {{"toplain.test", RrType::a}, "ok insecure"},
      {{"toplain.test", RrType::cname}, "ok secure"},
      {{"tomissing.test", RrType::a}, "nxdomain secure"},
      {{"tonodata.test", RrType::tlsa}, "nodata secure"},
      {{"c0.test", RrType::a}, "ok secure"},
      {{"d0.test", RrType::a}, "failed: alias chain too long"},
  };
  for (const auto& row : expected) {
    const std::string text = row.first.first + " " + std::string(name_of(row.first.second)) + ": ";
    CHECK(text + summary(world.ask(row.first.first, row.first.second)) == text + row.second);
  }
  CHECK(world.resolver->status().own_faults == 0);
}

TEST_CASE("records arrive whole") {
  World world({kValidating});
  CHECK(world.ask("good.test", RrType::a).addresses.size() == 2);
  CHECK(world.ask("good.test", RrType::aaaa).addresses.at(0).to_string() == "2001:db8::1");
  auto mx = world.ask("good.test", RrType::mx).mx;
  std::sort(mx.begin(), mx.end(),
            [](const auto& a, const auto& b) { return a.preference < b.preference; });
  REQUIRE(mx.size() == 2);
  CHECK(mx[0] == MxRecord{10, "mx1.test"});
  CHECK(lower_ascii(mx[1].target) == "mx2.plain.test");
  CHECK(world.ask("null.test", RrType::mx).mx == std::vector<MxRecord>{{0, "."}});
  CHECK(world.ask("odd.test", RrType::mx).mx == std::vector<MxRecord>{{5, "a\\046b.test"}});
  CHECK(world.ask("many.test", RrType::mx).mx.size() == 200);
  auto txt = world.ask("good.test", RrType::txt).txt;
  std::sort(txt.begin(), txt.end());
  CHECK(txt == std::vector<std::string>{"two", "v=one"});
  const auto tlsa = world.ask("_25._tcp.good.test", RrType::tlsa).tlsa;
  CHECK(tlsa.size() == 2);
  CHECK(std::count(tlsa.begin(), tlsa.end(), TlsaRecord{2, 0, 1, {}}) == 1);
  CHECK(std::count(tlsa.begin(), tlsa.end(), tlsa_311()) == 1);
  CHECK(world.ask("toplain.test", RrType::cname).cname == domain("www.plain.test"));
  CHECK(world.ask("toplain.test", RrType::a).aliases == std::vector<std::string>{"www.plain.test"});
}

TEST_CASE("an answer too big for UDP comes by TCP") {
  World world({kValidating});
  const DnsReply reply = world.ask("big.test", RrType::txt);
  CHECK(summary(reply) == "ok secure");
  CHECK(reply.txt.size() == 25);
}

TEST_CASE("answers are asked for once, those without a TTL each time") {
  World world({kValidating});
  world.ask("good.test", RrType::a);
  CHECK(world.packets() == 1);
  CHECK(world.ask("good.test", RrType::a).ttl <= 300s);
  CHECK(world.packets() == 1);
  world.clock.advance(301s);
  world.ask("good.test", RrType::a);
  CHECK(world.packets() == 2);
  CHECK(world.ask("zero.test", RrType::a).ttl == 0s);
  CHECK(world.ask("zero.test", RrType::a).ttl == 0s);
  CHECK(world.packets() == 4);
}

TEST_CASE("who looks again gets a new answer, and nothing of it is remembered") {
  World world;
  Meddler meddler(world.io, "127.0.0.1");
  world.start({meddler.server()});
  const auto again = [&world] {
    return run(world.resolver->ask({domain("good.test"), RrType::a, "", true}), world.io);
  };
  CHECK(summary(world.ask("good.test", RrType::a)) == "ok secure");
  world.clock.advance(100s);
  const std::uint64_t packets = world.packets();
  CHECK(world.ask("good.test", RrType::a).ttl <= 200s);
  CHECK(world.packets() == packets);
  CHECK(summary(again()) == "ok secure");
  CHECK(world.packets() == packets + 1);
  CHECK(world.ask("good.test", RrType::a).ttl <= 200s);
  CHECK(world.packets() == packets + 1);

  constexpr char kServfail = 2;
  meddler.changes = [](std::string& reply) {
    if (reply.find("\4good\4test") != std::string::npos) reply[3] = kServfail;
  };
  const DnsReply failed = again();
  CHECK(summary(failed) == "failed: SERVFAIL");
  CHECK(failed.ttl == kErrorLives[0]);
  CHECK(summary(world.ask("good.test", RrType::a)) == "ok secure");
}

TEST_CASE("a resolver that does not validate fails the self-test, and nothing it says counts") {
  World world({kGullible});
  const SelfTestReport report = run(world.resolver->self_test(), world.io);
  REQUIRE(report.upstreams.size() == 1);
  CHECK_FALSE(report.any_passed());
  CHECK(report.upstreams[0].text ==
        "127.0.0.3: it answers for the root without AD: it does not validate DNSSEC");
  for (const char* name : {"good.test", "www.plain.test", "www.bogus.test", "nope.test"}) {
    const DnsReply reply = world.ask(name, RrType::a);
    CHECK(reply.failed());
    CHECK(reply.own_fault);
  }
}

TEST_CASE("a validating resolver passes, and of two each is judged by itself") {
  World world({kValidating, kGullible});
  const SelfTestReport report = run(world.resolver->self_test(), world.io);
  CHECK(report.any_passed());
  CHECK_FALSE(report.all_passed());
  CHECK(report.upstreams.at(0).text == "127.0.0.1: validates DNSSEC");
}

TEST_CASE("a resolver that stops validating is noticed within a minute, and so is its recovery") {
  World world;
  Meddler meddler(world.io, "127.0.0.1");
  world.start({meddler.server()});
  CHECK(summary(world.ask("www.plain.test", RrType::a)) == "ok insecure");
  meddler.aim_at("127.0.0.3");
  world.clock.advance(61s);
  for (const char* name : {"good.test", "mx.plain.test", "nope.test"}) {
    const DnsReply reply = world.ask(name, RrType::a);
    CHECK(reply.failed());
    CHECK(reply.own_fault);
  }
  meddler.aim_at("127.0.0.1");
  world.clock.advance(2s);
  std::this_thread::sleep_for(1100ms);
  CHECK(summary(world.ask("mx.plain.test", RrType::a)) == "ok insecure");
  CHECK(summary(world.ask("good.test", RrType::a)) == "ok secure");
}

TEST_CASE("where nobody's AD counts every answer is insecure and errors stay errors") {
  World world;
  ResolverOptions options;
  options.upstreams = {kValidating};
  options.trust_ad = TrustAd::never;
  world.resolver =
      std::move(*GetdnsResolver::create(world.io.get_executor(), world.clock, options));
  CHECK(summary(world.ask("good.test", RrType::a)) == "ok insecure");
  CHECK(summary(world.ask("nope.test", RrType::a)) == "nxdomain insecure");
  CHECK(summary(world.ask("www.bogus.test", RrType::a)) == "failed: SERVFAIL");
  CHECK(run(world.resolver->self_test(), world.io).upstreams.at(0).text == "127.0.0.1: answers");
}

TEST_CASE("the canary must be SERVFAIL") {
  for (const auto& [canary, passes] : {std::pair("www.bogus.test", true), {"good.test", false}}) {
    World world;
    ResolverOptions options;
    options.upstreams = {kValidating};
    options.bogus_canary = domain(canary);
    world.resolver =
        std::move(*GetdnsResolver::create(world.io.get_executor(), world.clock, options));
    CHECK(run(world.resolver->self_test(), world.io).all_passed() == passes);
    CHECK(world.ask("www.plain.test", RrType::a).failed() == !passes);
  }
}

TEST_CASE("SERVFAIL is the last word, whatever another resolver would say") {
  World world({kValidating, kGullible});
  CHECK(summary(world.ask("www.bogus.test", RrType::a)) == "failed: SERVFAIL");
}

TEST_CASE("a resolver that refuses us is passed over, and alone it is our fault") {
  World world({kRefusing, kValidating});
  CHECK(summary(world.ask("good.test", RrType::a)) == "ok secure");
  World alone({kRefusing});
  CHECK(summary(alone.ask("good.test", RrType::a)) == "own fault: the resolver answers REFUSED");
}

TEST_CASE("a resolver that is gone is passed over, and asked last from then on") {
  World world({kNobody, kValidating});
  CHECK(summary(world.ask("good.test", RrType::a)) == "ok secure");
  run(world.resolver->self_test(), world.io);
  const auto before = steady_clock::now();
  CHECK(summary(world.ask("good.test", RrType::aaaa)) == "ok secure");
  CHECK(steady_clock::now() - before < 200ms);
}

TEST_CASE("when the only resolver dies it is our fault, for a second") {
  World world({kVictim});
  CHECK(summary(world.ask("good.test", RrType::a)) == "ok secure");
  const char* victim = std::getenv("LIVE_VICTIM");
  REQUIRE(victim != nullptr);
  REQUIRE(kill(std::atoi(victim), SIGKILL) == 0);
  CHECK(summary(world.ask("good.test", RrType::a)) == "ok secure");  // from the cache
  const DnsReply reply = world.ask("good.test", RrType::aaaa);
  CHECK(summary(reply) == "own fault: no resolver answers");
  CHECK(reply.ttl == 1s);
}

TEST_CASE("without a resolver on this host the start is refused, with words that help") {
  World world;
  const auto refusal = [&](ResolverOptions options) {
    auto made = GetdnsResolver::create(world.io.get_executor(), world.clock, options);
    return made ? std::string() : made.error();
  };
  CHECK(refusal({}).find("no DNS resolver on a loopback address") != std::string::npos);
  ResolverOptions remote;
  remote.upstreams = {{boost::asio::ip::make_address("192.0.2.53"), 53}};
  CHECK(refusal(remote).find("192.0.2.53 is not on a loopback address") != std::string::npos);
  remote.trust_ad = TrustAd::always;
  CHECK(refusal(remote).empty());
  remote.trust_ad = TrustAd::never;
  CHECK(refusal(remote).empty());
}

// SPDX-License-Identifier: Apache-2.0
#include "lookup/policy_finder.h"

#include "fakes.h"

using namespace sealane;
using namespace std::chrono_literals;

namespace {

/// a.test with a signed MX and TLSA, and an enforced policy.
struct World {
  FakeResolver dns;
  FakeFetcher web;
  FakeStore store;
  FakeClock clock;
  DecisionSettings settings;
  boost::asio::io_context io;
  std::unique_ptr<DaneLookup> dane;
  std::unique_ptr<StsLookup> sts;
  std::unique_ptr<PolicyFinder> finder;

  World() {
    dns.replies["a.test MX"] = dns_mx(true, {{10, "mx.a.test"}});
    dns.replies["mx.a.test A"] = dns_address(true, {"192.0.2.1"});
    dns.replies["mx.a.test AAAA"] = dns_nodata(true);
    dns.replies["_25._tcp.mx.a.test TLSA"] = dns_tlsa(true, {tlsa_311()});
    dns.replies["_mta-sts.a.test TXT"] = dns_txt({"v=STSv1; id=1"});
    web.policies["a.test"] =
        FetchedBody{"version: STSv1\nmode: enforce\nmx: mx.a.test\nmax_age: 604800\n", "192.0.2.1"};
    build();
  }
  void build() {
    dane = std::make_unique<DaneLookup>(dns, Families::any, clock);
    sts = std::make_unique<StsLookup>(io.get_executor(), dns, web, store, clock);
    finder = std::make_unique<PolicyFinder>(*dane, *sts, settings);
  }
  void without_tlsa() { dns.replies["_25._tcp.mx.a.test TLSA"] = dns_nodata(true); }
  Decision ask(std::string key, Dialect dialect = Dialect::postfix) {
    Decision decision = run(finder->find(PolicyQuestion{std::move(key), dialect, {}}), io);
    if (io.stopped()) io.restart();
    while (io.poll() > 0) {
    }
    if (io.stopped()) io.restart();
    return decision;
  }
};

}  // namespace

TEST_CASE("DANE at every host is answered although a policy is enforced") {
  World world;
  CHECK(world.ask("a.test").action == Action::dane_only);
}

TEST_CASE("without TLSA the enforced policy is the answer, in whatever case the key comes") {
  World world;
  world.without_tlsa();
  CHECK(world.ask("a.test").action == Action::sts);
  CHECK(world.ask("A.Test.").action == Action::sts);
  CHECK(world.web.asked.size() == 1);
}

TEST_CASE("a hanging policy host does not delay an answer that DANE alone decides") {
  World world;
  world.web.hold = true;
  const auto began = std::chrono::steady_clock::now();
  CHECK(world.ask("a.test").action == Action::dane_only);
  CHECK(std::chrono::steady_clock::now() - began < 2s);
  world.web.release();
}

TEST_CASE("a hanging policy host makes an answer that it could change temporary, in time") {
  World world;
  world.without_tlsa();
  world.web.hold = true;
  const auto began = std::chrono::steady_clock::now();
  const Decision decision = world.ask("a.test", Dialect::sendmail_sts);
  const auto took = std::chrono::steady_clock::now() - began;
  CHECK(decision.action == Action::temporary);
  CHECK_FALSE(decision.reason.empty());
  CHECK(took >= 3s);
  CHECK(took < 5s);
  world.web.release();
}

TEST_CASE("a DNS server that hangs makes the answer temporary, in time") {
  World world;
  world.dns.hold = {"a.test MX"};
  const Decision decision = world.ask("a.test", Dialect::sendmail_sts);
  CHECK(decision.action == Action::temporary);
  CHECK(decision.reason == "the DNS lookups took longer than 4 s");
  world.dns.release("a.test MX");
}

TEST_CASE("a parent-domain key is answered without any lookup") {
  World world;
  CHECK(world.ask(".a.test").action == Action::not_found);
  CHECK(world.ask("[192.0.2.1]").action == Action::not_found);
  CHECK(world.dns.asked.empty());
}

TEST_CASE("a submission port is not MTA-STS") {
  World world;
  CHECK(world.ask("a.test:587").action == Action::not_found);
  CHECK(world.dns.count("_mta-sts.a.test TXT") == 0);
  CHECK(world.dns.count("_587._tcp.mx.a.test TLSA") == 1);
}

TEST_CASE("null MX fetches no policy but one that is known still holds") {
  World world;
  world.dns.replies["a.test MX"] = dns_mx(false, {{0, "."}});
  CHECK(world.ask("a.test").action == Action::not_found);
  CHECK(world.web.asked.empty());
  world.dns.replies["a.test MX"] = dns_mx(false, {{10, "mx.a.test"}});
  world.dns.replies["mx.a.test A"] = dns_address(false, {"192.0.2.1"});
  CHECK(world.ask("a.test").action == Action::sts);
  world.dns.replies["a.test MX"] = dns_mx(false, {{0, "."}});
  CHECK(world.ask("a.test").action == Action::sts);
}

TEST_CASE("when the MX lookup fails the answer is temporary whatever the policy says") {
  World world;
  world.without_tlsa();
  CHECK(world.ask("a.test").action == Action::sts);
  world.dns.replies["a.test MX"] = dns_failed("SERVFAIL");
  const Decision decision = world.ask("a.test");
  CHECK(decision.action == Action::temporary);
  CHECK(decision.reason.find("MX lookup for a.test failed (SERVFAIL)") != std::string::npos);
}

TEST_CASE("while the resolver is down nothing is not-found") {
  World world;
  const DnsReply down = dns_failed("no resolver answers", true);
  world.dns.replies["a.test MX"] = down;
  CHECK(world.ask("a.test").action == Action::temporary);
  World other;
  other.without_tlsa();
  other.dns.replies["_mta-sts.a.test TXT"] = down;
  CHECK(other.ask("a.test").action == Action::temporary);
}

TEST_CASE("observing answers not-found at once and looks in the background") {
  World world;
  world.settings.observe = true;
  world.build();
  world.dns.hold = {"a.test MX"};
  const Decision decision = world.ask("a.test");
  CHECK(decision.action == Action::not_found);
  CHECK(decision.notices == std::vector<Notice>{Notice::observed});
  world.dns.release("a.test MX");
  world.io.restart();
  world.io.run_for(200ms);
  CHECK(world.dns.count("_25._tcp.mx.a.test TLSA") == 1);
}

TEST_CASE("a hanging policy host does not delay DANE beside a failing host either") {
  World world;
  world.dns.replies["a.test MX"] = dns_mx(true, {{10, "mx.a.test"}, {20, "bad.a.test"}});
  world.dns.replies["bad.a.test A"] = dns_failed("SERVFAIL");
  world.web.hold = true;
  const auto began = std::chrono::steady_clock::now();
  CHECK(world.ask("a.test").action == Action::dane_only);
  CHECK(std::chrono::steady_clock::now() - began < 2s);
  world.web.release();
}

TEST_CASE("a policy known before counts for Sendmail when the MX lookup fails") {
  World world;
  CHECK(world.ask("a.test", Dialect::sendmail_sts).action == Action::sts);
  world.dns.replies["a.test MX"] = dns_failed("SERVFAIL");
  CHECK(world.ask("a.test", Dialect::sendmail_sts).action == Action::sts);
  CHECK(world.ask("a.test").action == Action::temporary);
}

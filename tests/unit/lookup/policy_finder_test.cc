// SPDX-License-Identifier: Apache-2.0
#include "lookup/policy_finder.h"

#include "fakes.h"
#include "policy/override_file.h"

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
  OverrideBook overrides{clock};
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
    finder = std::make_unique<PolicyFinder>(*dane, *sts, overrides, settings);
  }
  void override_by(std::string_view text) {
    auto rules = parse_overrides(text);
    REQUIRE(rules.has_value());
    overrides.replace(std::make_shared<Overrides>(*std::move(rules)));
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

TEST_CASE("Sendmail's answer does not wait for hosts when a policy is enforced") {
  World world;
  world.dns.hold = {"mx.a.test A"};
  CHECK(world.ask("a.test", Dialect::sendmail_sts).action == Action::sts);
  world.dns.release("mx.a.test A");
}

// ---- overrides --------------------------------------------------------------------------------

namespace {

bool has(const Decision& decision, Notice notice) {
  return std::find(decision.notices.begin(), decision.notices.end(), notice) !=
         decision.notices.end();
}

bool tells(const Decision& decision, std::string_view text) {
  return std::any_of(decision.trail.begin(), decision.trail.end(), [text](const Reason& reason) {
    return reason.text.find(text) != std::string::npos;
  });
}

constexpr const char* kFixed = "a.test postfix=\"secure match=x.a.test\" reason=\"contract 7\"\n";

}  // namespace

TEST_CASE("a fixed answer waits for no lookup and says why in the trail") {
  World world;
  world.dns.hold = {"a.test MX"};
  world.override_by(kFixed);
  const Decision decision = world.ask("a.test");
  CHECK(decision.action == Action::fixed);
  CHECK(decision.fixed_reply == "secure match=x.a.test");
  CHECK(decision.row == "32");
  CHECK(decision.ttl == kMaxAnswerTtl);
  CHECK(has(decision, Notice::overridden));
  CHECK(tells(decision, "override with a fixed reply (contract 7)"));
  CHECK(world.dns.asked.empty());
}

TEST_CASE("what the sender waives is answered while DNS hangs, but not against the operator") {
  World world;
  world.dns.hold = {"a.test MX"};
  PolicyQuestion waived{"a.test", Dialect::exim, {}};
  waived.flags.tls_required_no = true;
  const Decision decision = run(world.finder->find(waived), world.io);
  CHECK(decision.action == Action::may);
  CHECK(decision.row == "35");
  CHECK(world.dns.asked.empty());
  world.override_by("a.test exim=\"level=encrypt dane=no\" reason=x\n");
  CHECK(run(world.finder->find(waived), world.io).action == Action::fixed);
  world.dns.hold.clear();
  world.override_by("a.test dane=only reason=x\n");
  CHECK(run(world.finder->find(waived), world.io).row == "9");
  world.override_by("a.test sts=off reason=x\n");
  CHECK(has(run(world.finder->find(waived), world.io), Notice::overridden));
}

TEST_CASE("Sendmail is not told \"no policy\" beside DANE while the store cannot be read") {
  World world;
  world.store.broken = true;
  const Decision decision = world.ask("a.test", Dialect::sendmail_sts);
  CHECK(decision.action == Action::temporary);
  CHECK(decision.row == "31");
  CHECK(world.ask("a.test").action == Action::dane_only);
}

TEST_CASE("a rule is for its name with brackets and with any port, and in every dialect") {
  World world;
  world.override_by(kFixed);
  for (const char* key :
       {"A.Test.", "a.test:25", "a.test:587", "[a.test]", "[a.test]:submission"}) {
    CAPTURE(key);
    CHECK(world.ask(key).action == Action::fixed);
  }
  CHECK(world.ask("a.test", Dialect::requiretls).action == Action::fixed);
  CHECK(world.ask("a.test", Dialect::sendmail_sts).action == Action::fixed);
  CHECK(world.ask("a.test", Dialect::postfix_tlsrpt).action == Action::fixed);
  CHECK(world.ask("b.a.test").action == Action::not_found);
  CHECK(world.ask(".a.test").row == "29");
}

TEST_CASE("a fixed answer for one MTA is none for another, which gets the usual decision") {
  World world;
  world.override_by(kFixed);
  const Decision exim = world.ask("a.test", Dialect::exim);
  CHECK(exim.action == Action::dane_only);
  CHECK(tells(exim, "the fixed reply is not for this asker"));
  world.override_by("a.test exim=\"level=encrypt\" reason=x\n");
  CHECK(world.ask("a.test", Dialect::exim).fixed_reply == "level=encrypt");
  CHECK(world.ask("a.test").action == Action::dane_only);
}

TEST_CASE("dane=off asks for no TLSA and no host, and the policy decides") {
  World world;
  world.override_by("a.test dane=off reason=x\n");
  world.dns.hold = {"mx.a.test A"};
  const Decision decision = world.ask("a.test");
  CHECK(decision.action == Action::sts);
  CHECK(decision.row == "2");
  CHECK(has(decision, Notice::overridden));
  CHECK(world.dns.count("_25._tcp.mx.a.test TLSA") == 0);
  CHECK(world.dns.count("mx.a.test A") == 0);
}

TEST_CASE("dane=off without a policy is said as may, also for a destination that is its own host") {
  World world;
  world.override_by("a.test dane=off reason=x\n.a.test dane=off reason=y\n");
  world.dns.replies.erase("_mta-sts.a.test TXT");
  CHECK(world.ask("a.test").action == Action::may);
  CHECK(world.ask("[mx.a.test]").action == Action::may);
  world.dns.replies["a.test MX"] = dns_nodata(true);
  CHECK(world.ask("a.test").action == Action::may);
  world.dns.replies["a.test MX"] = dns_failed("SERVFAIL");
  CHECK(world.ask("a.test").action == Action::temporary);
}

TEST_CASE("dane=only demands DANE whatever was found, but not when we ourselves are ill") {
  World world;
  world.without_tlsa();
  world.override_by("a.test dane=only reason=x\n");
  const Decision decision = world.ask("a.test");
  CHECK(decision.action == Action::dane_only);
  CHECK(decision.row == "32");
  world.dns.replies["a.test MX"] = dns_failed("no resolver answers", true);
  CHECK(world.ask("a.test").row == "31");
}

TEST_CASE("sts=off is as if no policy were published") {
  World world;
  world.without_tlsa();
  world.override_by("a.test sts=off reason=x\n");
  world.web.hold = true;  // and nothing waits for it
  const auto began = std::chrono::steady_clock::now();
  const Decision decision = world.ask("a.test");
  CHECK(decision.action == Action::not_found);
  CHECK(decision.row == "1");
  CHECK(std::chrono::steady_clock::now() - began < 2s);
  world.web.release();
}

TEST_CASE("observe answers one destination at once and looks in the background") {
  World world;
  world.override_by("a.test observe reason=trial\n");
  world.dns.hold = {"a.test MX"};
  const Decision decision = world.ask("a.test");
  CHECK(decision.action == Action::not_found);
  CHECK(decision.row == "33");
  CHECK(decision.notices == std::vector<Notice>{Notice::observed, Notice::overridden});
  CHECK(tells(decision, "override observe (trial)"));
  world.dns.release("a.test MX");
  world.io.restart();
  world.io.run_for(200ms);
  CHECK(world.dns.count("_25._tcp.mx.a.test TLSA") == 1);
  world.io.restart();
  CHECK(world.ask("other.test").row == "27");
}

TEST_CASE("observing everything goes before a fixed answer") {
  World world;
  world.settings.observe = true;
  world.build();
  world.override_by(kFixed);
  CHECK(world.ask("a.test").action == Action::not_found);
}

TEST_CASE("a rule ends with its time, and no answer lives longer than the rule") {
  World world;
  const auto day = std::chrono::floor<std::chrono::days>(world.clock.wall());
  const std::chrono::year_month_day date{day};
  world.override_by(fmt::format("a.test postfix=may until={:04}-{:02}-{:02} reason=x\n",
                                static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                                static_cast<unsigned>(date.day())));
  const std::chrono::seconds left = day + 24h - world.clock.wall();
  CHECK(world.ask("a.test").ttl == kMaxAnswerTtl);
  world.clock.advance(left - 7s);
  CHECK(world.ask("a.test").action == Action::fixed);
  CHECK(world.ask("a.test").ttl == 7s);
  world.clock.advance(6s);
  CHECK(world.ask("a.test").ttl == 1s);
  world.clock.advance(1s);
  const Decision after = world.ask("a.test");
  CHECK(after.action == Action::dane_only);
  CHECK_FALSE(has(after, Notice::overridden));
}

TEST_CASE("a new set counts for the next question, and one under way keeps its rule") {
  World world;
  world.without_tlsa();
  world.override_by("a.test dane=only reason=old\n");
  world.dns.hold = {"a.test MX"};
  std::optional<Decision> first;
  boost::asio::co_spawn(world.io,
                        world.finder->find(PolicyQuestion{"a.test", Dialect::postfix, {}}),
                        [&first](std::exception_ptr, Decision decision) { first = decision; });
  world.io.poll();
  CHECK(world.dns.count("a.test MX") == 1);
  world.override_by("a.test sts=off reason=new\n");
  world.dns.release("a.test MX");
  world.io.restart();
  world.io.run_for(200ms);
  REQUIRE(first.has_value());
  CHECK(first->action == Action::dane_only);
  CHECK(tells(*first, "(old)"));
  world.io.restart();
  const Decision second = world.ask("a.test");
  CHECK(second.action == Action::not_found);
  CHECK(tells(second, "(new)"));
}

TEST_CASE("expired overrides are reported when they are loaded, and then once a day") {
  World world;
  CHECK(world.overrides.tick() == 0);
  world.override_by("a.test observe until=2020-01-01 reason=x\nb.test observe reason=y\n");
  CHECK(world.overrides.tick() == 0);
  world.clock.advance(24h - 1s);
  CHECK(world.overrides.tick() == 0);
  world.clock.advance(1s);
  CHECK(world.overrides.tick() == 1);
  CHECK(world.overrides.tick() == 0);
  world.clock.advance(24h);
  CHECK(world.overrides.tick() == 1);
}

// SPDX-License-Identifier: Apache-2.0
// What an explanation says is what an MTA is told, and a second look leaves no trace.
#include "fakes.h"
#include "lookup/policy_finder.h"
#include "policy/override_file.h"

using namespace sealane;
using namespace std::chrono_literals;

namespace {

constexpr const char* kEnforce = "version: STSv1\nmode: enforce\nmx: mx.a.test\nmax_age: 604800\n";
constexpr const char* kNone = "version: STSv1\nmode: none\nmax_age: 86400\n";

struct RecordingSink : EventSink {
  std::vector<Event> told;
  void note(const Event& event) override { told.push_back(event); }
};

/// a.test with a signed MX and an enforced policy, without TLSA.
struct World {
  FakeResolver dns;
  FakeFetcher web;
  FakeStore store;
  FakeClock clock;
  RecordingSink events;
  DecisionSettings settings;
  boost::asio::io_context io;
  std::unique_ptr<DaneLookup> dane;
  std::unique_ptr<StsLookup> sts;
  OverrideBook overrides{clock};
  std::unique_ptr<PolicyFinder> finder;

  World() {
    set_log_level(Severity::alarm);
    dns.replies["a.test MX"] = dns_mx(true, {{10, "mx.a.test"}});
    dns.replies["mx.a.test A"] = dns_address(true, {"192.0.2.1"});
    dns.replies["mx.a.test AAAA"] = dns_nodata(true);
    dns.replies["_25._tcp.mx.a.test TLSA"] = dns_nodata(true);
    dns.replies["_mta-sts.a.test TXT"] = dns_txt({"v=STSv1; id=1"});
    web.policies["a.test"] = FetchedBody{kEnforce, "192.0.2.1"};
    build();
  }
  ~World() { settle(); }
  void build() {
    dane = std::make_unique<DaneLookup>(dns, Families::any, clock);
    sts = std::make_unique<StsLookup>(io.get_executor(), dns, web, store, clock, StsLimits{},
                                      &events);
    finder = std::make_unique<PolicyFinder>(*dane, *sts, overrides, settings);
  }
  void settle() {
    if (io.stopped()) io.restart();
    while (io.poll() > 0) {
    }
    if (io.stopped()) io.restart();
  }
  void with_tlsa() { dns.replies["_25._tcp.mx.a.test TLSA"] = dns_tlsa(true, {tlsa_311()}); }
  void override_by(std::string_view text) {
    auto rules = parse_overrides(text);
    REQUIRE(rules.has_value());
    overrides.replace(std::make_shared<Overrides>(*std::move(rules)));
  }
  Explanation explain(std::string key, bool live = false) {
    Explanation explained = run(finder->explain(std::move(key), live), io);
    settle();
    return explained;
  }
  Decision ask(std::string key, Dialect dialect = Dialect::postfix) {
    Decision decision = run(finder->find(PolicyQuestion{std::move(key), dialect, {}}), io);
    settle();
    return decision;
  }
  StsFinding finding() {
    StsFinding found = run(sts->find(domain("a.test"), Deadline::max()), io);
    settle();
    return found;
  }
};

const Decision& said(const Look& look, Dialect dialect) {
  for (const Verdict& verdict : look.verdicts) {
    if (verdict.dialect == dialect) return verdict.decision;
  }
  FAIL("no verdict");
  return look.verdicts.front().decision;
}

/// Everything that ends in the words of a reply.
void check_same(const Decision& explained, const Decision& answered) {
  CHECK(name_of(explained.action) == name_of(answered.action));
  CHECK(explained.row == answered.row);
  CHECK(explained.reason == answered.reason);
  CHECK(explained.patterns == answered.patterns);
  CHECK(explained.hosts == answered.hosts);
  CHECK(explained.fingerprints == answered.fingerprints);
  CHECK(explained.fixed_reply == answered.fixed_reply);
  CHECK(explained.report_testing == answered.report_testing);
  CHECK(explained.ttl == answered.ttl);
}

void check_agrees(World& world, const std::string& key) {
  CAPTURE(key);
  const Explanation explained = world.explain(key, true);
  REQUIRE(explained.known.verdicts.size() == kDialects.size());
  for (const Dialect dialect : kDialects) {
    CAPTURE(name_of(dialect));
    check_same(said(explained.known, dialect), world.ask(key, dialect));
    if (explained.live) {
      CHECK(said(*explained.live, dialect).action == said(explained.known, dialect).action);
    }
  }
}

}  // namespace

TEST_CASE("an explanation has the decision of every dialect, as a question gets it") {
  for (const char* key : {"a.test", "A.Test.", "[mx.a.test]", "a.test:587", ".a.test",
                          "[192.0.2.1]", "", "a.test:nonsense", "nobody.test"}) {
    World bare;
    check_agrees(bare, key);
    World with_dane;
    with_dane.with_tlsa();
    check_agrees(with_dane, key);
  }
}

TEST_CASE("it agrees when lookups fail") {
  for (const char* what :
       {"a.test MX", "mx.a.test A", "_25._tcp.mx.a.test TLSA", "_mta-sts.a.test TXT"}) {
    for (const bool own : {false, true}) {
      CAPTURE(what);
      World world;
      world.dns.replies[what] = dns_failed("SERVFAIL", own);
      check_agrees(world, "a.test");
    }
  }
}

TEST_CASE("it agrees under every override, and while observing") {
  for (const char* rule :
       {"a.test postfix=\"encrypt\" reason=x", "a.test dane=only reason=x",
        "a.test dane=off reason=x", "a.test sts=off reason=x", "a.test observe reason=x",
        "a.test observe dane=off reason=x", "a.test exim=\"level=may\" reason=x",
        "a.test sts=off until=2026-09-21T14:14Z reason=x"}) {
    CAPTURE(rule);
    World world;
    world.override_by(rule);
    check_agrees(world, "a.test");
  }
  World world;
  world.settings.observe = true;
  world.build();
  check_agrees(world, "a.test");
}

TEST_CASE("what would be said is explained while nothing is said") {
  World world;
  world.override_by("a.test observe reason=x");
  const Explanation explained = world.explain("a.test");
  const Verdict& verdict = explained.known.verdicts.front();
  CHECK(verdict.decision.action == Action::not_found);
  CHECK(verdict.decision.row == "33");
  REQUIRE(verdict.unobserved.has_value());
  CHECK(verdict.unobserved->action == Action::sts);
  CHECK(verdict.unobserved->row == "2");
}

TEST_CASE("what happens when the policy has run out is explained") {
  World world;
  const Explanation explained = world.explain("a.test");
  const Verdict& verdict = explained.known.verdicts.front();
  REQUIRE(verdict.without_policy.has_value());
  CHECK(verdict.without_policy->action == Action::not_found);
  CHECK(verdict.without_policy->row == "6");
  CHECK_FALSE(world.explain("nobody.test").known.verdicts.front().without_policy.has_value());
}

TEST_CASE("a key that names no destination is explained without a lookup") {
  World world;
  const Explanation explained = world.explain(".a.test", true);
  CHECK(std::holds_alternative<NoNextHop>(explained.parsed));
  CHECK(said(explained.known, Dialect::postfix).row == "29");
  CHECK_FALSE(explained.live.has_value());
  CHECK(world.dns.asked.empty());
}

TEST_CASE("it says where the policy comes from") {
  World world;
  CHECK(world.explain("a.test").known.sts->view.source == PolicySource::fetched);
  world.clock.advance(100s);
  const StsView remembered = world.explain("a.test").known.sts->view;
  CHECK(remembered.source == PolicySource::memory);
  CHECK(remembered.policy_age == 100s);
  CHECK(remembered.policy_left == 604700s);
  CHECK(remembered.txt_records == std::vector<std::string>{"v=STSv1; id=1"});
  CHECK(remembered.txt == TxtState::valid);
  REQUIRE(remembered.next_fetch.has_value());
  CHECK(*remembered.next_fetch > 20h);
  CHECK(*remembered.next_fetch < 27h);
  world.build();  // a restart
  CHECK(world.explain("a.test").known.sts->view.source == PolicySource::store);
  CHECK(world.explain("nobody.test").known.sts->view.source == PolicySource::none);
}

TEST_CASE("it says how often the fetch has failed, and when it is tried again") {
  World world;
  world.web.policies.erase("a.test");
  [[maybe_unused]] const Explanation first = world.explain("a.test");
  const StsView view = world.explain("a.test").known.sts->view;
  CHECK(view.memory.fetch_errors.count == 1);
  CHECK(view.memory.fetch_errors.text == "404");
  CHECK(view.next_fetch == 300s);
  CHECK_FALSE(view.policy.has_value());
}

TEST_CASE("a second look asks everything anew") {
  World world;
  world.with_tlsa();
  [[maybe_unused]] const Explanation first = world.explain("a.test");
  CHECK(world.dns.asked_afresh.empty());
  CHECK(world.web.asked.size() == 1);
  const Explanation explained = world.explain("a.test", true);
  REQUIRE(explained.live.has_value());
  auto asked = world.dns.asked_afresh;
  std::sort(asked.begin(), asked.end());
  CHECK(asked == std::vector<std::string>{"_25._tcp.mx.a.test TLSA", "_mta-sts.a.test TXT",
                                          "a.test MX", "mx.a.test A", "mx.a.test AAAA"});
  CHECK(world.web.asked.size() == 2);
  CHECK(world.web.asked_afresh.size() == 1);
  CHECK(explained.live->sts->view.source == PolicySource::fetched);
}

TEST_CASE("a second look at a policy that became weaker changes nothing") {
  World world;
  [[maybe_unused]] const Explanation first = world.explain("a.test");
  const auto kept = world.store.kept;
  const auto events = world.events.told.size();
  const auto counters = world.sts->counters();
  world.clock.advance(1h);
  world.web.policies["a.test"] = FetchedBody{kNone, "192.0.2.1"};
  world.dns.fresh_replies["_mta-sts.a.test TXT"] = dns_txt({"v=STSv1; id=2"});
  const Explanation explained = world.explain("a.test", true);
  CHECK(said(*explained.live, Dialect::postfix).action == Action::not_found);
  CHECK(explained.live->sts->finding.value == StsClass::mode_none);
  CHECK(explained.live->sts->view.memory.policy->id == "2");
  CHECK(said(explained.known, Dialect::postfix).action == Action::sts);
  CHECK(world.finding().value == StsClass::enforce);
  CHECK(world.store.kept == kept);
  CHECK(world.events.told.size() == events);
  CHECK(world.sts->counters().fetches == counters.fetches);
  CHECK(world.sts->counters().downgrades == counters.downgrades);
}

TEST_CASE("a second look that fails in every way changes nothing") {
  World world;
  [[maybe_unused]] const Explanation first = world.explain("a.test");
  const auto kept = world.store.kept;
  world.clock.advance(1h);
  for (const bool own : {false, true}) {
    world.web.policies["a.test"] =
        tl::unexpected<FetchFailure>({own ? FetchProblem::own : FetchProblem::status, "410", {}});
    world.dns.fresh_replies["_mta-sts.a.test TXT"] = dns_failed("SERVFAIL", own);
    world.dns.fresh_replies["mx.a.test A"] = dns_failed("timeout", own);
    const Explanation explained = world.explain("a.test", true);
    CHECK(explained.live->sts->finding.value == StsClass::enforce);  // it holds to its own expiry
    CHECK(explained.live->sts->view.txt == (own ? TxtState::own_fault : TxtState::failed));
    CHECK(explained.live->dane->hosts.front().state == HostState::err);
    const StsView view = world.explain("a.test").known.sts->view;
    CHECK(view.memory.fetch_errors.count == 0);
    CHECK(view.memory.txt_errors.count == 0);
    CHECK(view.txt == TxtState::valid);
  }
  CHECK(world.store.kept == kept);
  CHECK(said(world.explain("a.test").known, Dialect::postfix).action == Action::sts);
}

TEST_CASE("failures of second looks do not add up to the bound of row 7") {
  World world;
  world.dns.replies["_mta-sts.a.test TXT"] = dns_failed("SERVFAIL");
  [[maybe_unused]] const Explanation first = world.explain("a.test");
  for (int i = 0; i < 5; ++i) {
    world.clock.advance(1s);
    [[maybe_unused]] const Explanation again = world.explain("a.test", true);
  }
  CHECK(world.explain("a.test").known.sts->view.memory.txt_errors.count == 1);
}

TEST_CASE("a policy that is kept is fetched by a second look even without its TXT record") {
  World world;
  [[maybe_unused]] const Explanation first = world.explain("a.test");
  world.dns.fresh_replies["_mta-sts.a.test TXT"] = dns_nodata(false);
  const Explanation explained = world.explain("a.test", true);
  CHECK(explained.live->sts->view.txt == TxtState::none);
  CHECK(explained.live->sts->view.source == PolicySource::fetched);
  CHECK(explained.live->sts->finding.value == StsClass::enforce);
}

TEST_CASE("a second look waits for nobody else's fetch and is given up after the budget") {
  World world;
  world.web.hold = true;
  std::optional<Explanation> explained;
  boost::asio::co_spawn(world.io, world.finder->explain("a.test", true),
                        [&](std::exception_ptr error, Explanation value) {
                          CHECK_FALSE(error);
                          explained = std::move(value);
                        });
  world.settle();
  CHECK_FALSE(explained.has_value());
  CHECK(world.web.held.size() == 2);
  world.web.release();
  world.settle();
  REQUIRE(explained.has_value());
  CHECK(said(explained->known, Dialect::postfix).action == Action::sts);
  CHECK(said(*explained->live, Dialect::postfix).action == Action::sts);
}

TEST_CASE("so many second looks at a time, and no more") {
  World world;
  world.dns.hold = {"a.test MX"};
  std::size_t ended = 0;
  std::size_t refused = 0;
  for (int i = 0; i < 17; ++i) {
    boost::asio::co_spawn(world.io, world.finder->explain("a.test", true),
                          [&](std::exception_ptr error, const Explanation& value) {
                            CHECK_FALSE(error);
                            ++ended;
                            if (value.too_busy) ++refused;
                            CHECK(value.live.has_value() != value.too_busy);
                          });
    world.settle();
  }
  CHECK(world.dns.asked_afresh.size() == 16);
  world.dns.release("a.test MX");
  world.settle();
  CHECK(ended == 17);
  CHECK(refused == 1);
}

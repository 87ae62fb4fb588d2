// SPDX-License-Identifier: Apache-2.0
#include "server/cache_api.h"

#include <future>
#include <set>
#include <string>

#include "lookup/freshness.h"
#include "server/admin_house.h"

using namespace sealane;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

std::string policy(std::string_view mode, long max_age = 604800) {
  return fmt::format("version: STSv1\nmode: {}\nmx: *.a.test\nmax_age: {}\n", mode, max_age);
}

StsMemory memory(const AdminHouse& house, std::string_view mode, seconds age = hours{1},
                 long max_age = 604800) {
  StsMemory kept;
  const auto fetched = house.clock.wall() - age;
  kept.policy = StoredPolicy{"id1", policy(mode, max_age), fetched, fetched + seconds(max_age)};
  kept.txt_id = "id1";
  kept.asked = fetched;
  return kept;
}

std::vector<std::string> domains(const HttpReply& reply) {
  std::vector<std::string> found;
  for (const auto& line : reply.lines()) found.emplace_back(line.at("domain").as_string());
  return found;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("the list has a line for each domain, in order, over many pages") {
  AdminHouse house;
  const std::size_t rows = 3 * kCachePage;
  house.inside([&] {
    for (std::size_t i = 0; i < rows; ++i) {
      house.store.kept[domain(fmt::format("d{:04}.test", i))] = memory(house, "enforce");
    }
  });
  const HttpReply reply = house.get("/v1/cache");
  CHECK(reply.status == 200);
  const auto lines = reply.lines();
  REQUIRE(lines.size() == rows);
  CHECK(lines.front().at("domain").as_string() == "d0000.test");
  CHECK(lines.back().at("domain").as_string() == fmt::format("d{:04}.test", rows - 1));
  CHECK(lines.front().at("mode").as_string() == "enforce");
  CHECK(lines.front().at("id").as_string() == "id1");
  CHECK(lines.front().at("fetched").as_string() == "2026-09-21T13:13:20Z");
  CHECK(lines.front().at("expires").as_string() == "2026-09-28T13:13:20Z");
  CHECK(lines.front().at("asked").as_string() == "2026-09-21T13:13:20Z");
  CHECK(lines.front().at("failures").as_int64() == 0);
  CHECK(lines.front().as_object().contains("refresh"));
  CHECK_FALSE(lines.front().as_object().contains("policy"));
  CHECK(house.get("/v1/cache?limit=70").lines().size() == 70);
  CHECK(domains(house.get("/v1/cache?limit=1&after=d0005.test")) == Names{"d0006.test"});
}

TEST_CASE("the list is filtered by mode, age, expiry, failures, and by having a policy") {
  AdminHouse house;
  house.inside([&] {
    house.store.kept[domain("enforce.test")] = memory(house, "enforce");
    house.store.kept[domain("testing.test")] = memory(house, "testing", hours{30});
    house.store.kept[domain("short.test")] = memory(house, "none", hours{1}, 7200);
    StsMemory unreadable = memory(house, "enforce");
    unreadable.policy->body = "\xff\x1b[2J";
    house.store.kept[domain("unreadable.test")] = unreadable;
    StsMemory failing;
    failing.txt_errors.note(house.clock, "SERVFAIL");
    house.store.kept[domain("failing.test")] = failing;
  });
  CHECK(house.get("/v1/cache").lines().size() == 5);
  CHECK(domains(house.get("/v1/cache?mode=enforce")) == Names{"enforce.test"});
  CHECK(domains(house.get("/v1/cache?mode=unreadable")) == Names{"unreadable.test"});
  CHECK(domains(house.get("/v1/cache?min_age=86400")) == Names{"testing.test"});
  CHECK(domains(house.get("/v1/cache?expires_in=3600")) == Names{"short.test"});
  CHECK(domains(house.get("/v1/cache?failing=1")) == Names{"failing.test"});
  const HttpReply with_policy = house.get("/v1/cache?policy=1");
  CHECK(with_policy.lines().size() == 4);
  CHECK(with_policy.lines().front().at("policy").as_string() == policy("enforce"));
  CHECK(with_policy.text.find('\x1b') == std::string::npos);
  for (const char* wrong : {"mode=x", "min_age=", "min_age=-1", "expires_in=soon", "limit=0",
                            "limit=4294967296", "after=%1b", "color=blue"}) {
    CAPTURE(wrong);
    CHECK(house.get(std::string("/v1/cache?") + wrong).status == 400);
  }
}

TEST_CASE("a store that fails in the middle of a list ends it with an error") {
  AdminHouse house;
  house.inside([&] { house.store.broken = true; });
  const auto lines = house.get("/v1/cache").lines();
  REQUIRE(lines.size() == 1);
  CHECK(lines.front().at("error").as_string() == "the store is broken");
  CHECK(house.get("/v1/cache/stats").status == 503);
  CHECK(house.get("/v1/cache/a.test").status == 503);
  CHECK(house.get("/v1/status").body().at("store").at("works").as_bool() == false);
}

TEST_CASE("a domain is shown with its policy, its troubles, its DANE and its history") {
  AdminHouse house;
  house.inside([&] {
    StsMemory kept = memory(house, "testing");
    kept.fetch_errors.note(house.clock, "\x1b[2Jtimeout");
    kept.failed_id = "id2";
    house.store.kept[domain("xn--bcher-kva.test")] = kept;
    house.store.told.push_back(Event{house.clock.wall(), domain("xn--bcher-kva.test"),
                                     EventKind::policy_new, Severity::info, "new", "", "mode x"});
  });
  const HttpReply reply = house.get("/v1/cache/b%C3%BCcher.test");
  REQUIRE(reply.status == 200);
  CHECK(reply.member("domain") == "xn--bcher-kva.test");
  CHECK(reply.member("mode") == "testing");
  CHECK(reply.member("policy") == policy("testing"));
  CHECK(reply.body().at("max_age").as_int64() == 604800);
  CHECK(reply.body().at("mx").as_array().at(0).as_string() == "*.a.test");
  CHECK(reply.body().at("fetch_errors").at("cause").as_string() == "\\x1b[2Jtimeout");
  CHECK(reply.member("failed_id") == "id2");
  CHECK(reply.body().at("history").as_array().at(0).at("kind").as_string() == "policy-new");
}

TEST_CASE("a domain of which nothing is known, and what is no domain, is told apart") {
  AdminHouse house;
  CHECK(house.get("/v1/cache/nobody.test").status == 404);
  CHECK(request(house.path(), "DELETE", "/v1/cache/nobody.test").status == 404);
  for (const char* name : {"a..test", "%1b%5b2J", "%00", "%ff", "-", "..", "a%2Fb"}) {
    CAPTURE(name);
    const HttpReply reply = house.get(std::string("/v1/cache/") + name);
    CHECK((reply.status == 400 || reply.status == 404));
    CHECK(reply.text.find('\x1b') == std::string::npos);
  }
  const std::string longest(10'000, 'a');
  CHECK(house.get("/v1/cache/" + longest).status == 400);
}

TEST_CASE("a refresh fetches although nothing is due, but not twice in a minute") {
  AdminHouse house;
  house.publish("a.test", policy("enforce"));
  const HttpReply first = house.post("/v1/cache/a.test/refresh");
  CHECK(first.status == 200);
  CHECK(first.member("outcome") == "fetched");
  CHECK(first.member("mode") == "enforce");
  CHECK(first.member("class") == "S-ENF");
  house.inside([&] {
    REQUIRE(house.store.kept.contains(domain("a.test")));
    CHECK(house.store.kept.at(domain("a.test")).asked == house.clock.wall());
  });
  CHECK(house.post("/v1/cache/a.test/refresh").member("outcome") == "nothing-to-fetch");
  house.inside([&] { house.clock.advance(minutes{2}); });
  house.publish("a.test", policy("testing"));
  const HttpReply second = house.post("/v1/cache/a.test/refresh");
  CHECK(second.member("outcome") == "fetched");
  CHECK(second.member("mode") == "testing");
  house.inside([&] {
    house.clock.advance(minutes{2});
    house.fetcher.policies.clear();
  });
  const HttpReply third = house.post("/v1/cache/a.test/refresh");
  CHECK(third.member("outcome") == "failed");
  CHECK(third.member("mode") == "testing");
  CHECK(third.member("reason").find("404") != std::string::npos);
  CHECK(house.get("/v1/status").body().at("failing").at("named").at(0).at("domain").as_string() ==
        "a.test");
}

TEST_CASE("a refresh of a domain without MTA-STS leaves no trace") {
  AdminHouse house;
  const HttpReply none = house.post("/v1/cache/none.test/refresh");
  CHECK(none.member("outcome") == "nothing-to-fetch");
  CHECK(none.member("class") == "S0");
  house.inside([&] { CHECK(house.store.kept.empty()); });
  CHECK(house.get("/v1/cache/none.test").status == 404);
}

TEST_CASE("a purge forgets in memory and store, and answers that were ready go as well") {
  AdminHouse house;
  house.publish("a.test", policy("enforce"));
  house.post("/v1/cache/a.test/refresh");
  house.get("/v1/query?key=a.test");
  house.get("/v1/query?key=a.test");
  house.inside([&] { CHECK(house.finder.count("a.test") == 1); });

  const HttpReply purged = request(house.path(), "DELETE", "/v1/cache/a.test");
  CHECK(purged.status == 200);
  CHECK(purged.member("mode") == "enforce");
  CHECK(purged.body().as_object().contains("expires"));
  house.get("/v1/query?key=a.test");
  house.inside([&] {
    CHECK(house.store.kept.empty());
    CHECK(house.finder.count("a.test") == 2);
    CHECK(house.store.told.back().kind == EventKind::policy_purged);
    CHECK(house.store.told.back().old_value == "mode enforce");
  });
  CHECK_FALSE(house.get("/v1/cache/a.test").body().as_object().contains("mode"));
  CHECK(request(house.path(), "DELETE", "/v1/cache/a.test").status == 404);
}

TEST_CASE("a lookup under way leaves no trace of a domain that was purged meanwhile") {
  AdminHouse house;
  house.publish("a.test", policy("enforce"));
  house.post("/v1/cache/a.test/refresh");
  house.inside([&] {
    house.clock.advance(minutes{2});
    house.fetcher.hold = true;
  });
  auto slow =
      std::async(std::launch::async, [&] { return house.post("/v1/cache/a.test/refresh"); });
  std::size_t held = 0;
  for (int i = 0; i < 5'000 && held == 0; ++i) {
    house.inside([&] { held = house.fetcher.held.size(); });
    ::usleep(1'000);
  }
  REQUIRE(held == 1);
  CHECK(request(house.path(), "DELETE", "/v1/cache/a.test").status == 200);
  house.inside([&] { house.fetcher.release(); });
  CHECK(slow.get().member("outcome") == "fetched");
  house.inside([&] { CHECK(house.store.kept.empty()); });
}

TEST_CASE("DANE that is remembered is shown and purged") {
  AdminHouse house;
  house.inside([&] {
    HostFinding host;
    host.name = "mx.a.test";
    host.domain = domain("mx.a.test");
    host.state = HostState::dane;
    host.secure = true;
    host.records = {JudgedTlsa{tlsa_311(), true, {}, false}};
    DaneFinding finding;
    finding.mx = MxStatus::ok;
    finding.mx_secure = true;
    finding.hosts = {host};
    house.dane_watch().note({domain("a.test"), true, 25}, finding);
  });
  const HttpReply shown = house.get("/v1/cache/a.test");
  REQUIRE(shown.status == 200);
  CHECK(shown.body().at("dane").at("class").as_string() == "D-ALL");
  CHECK(request(house.path(), "DELETE", "/v1/cache/a.test").status == 200);
  house.inside([&] { CHECK(house.store.dane.empty()); });
}

TEST_CASE("the statistics count modes, failures and ends") {
  AdminHouse house;
  house.inside([&] {
    for (int i = 0; i < 100; ++i) {
      house.store.kept[domain(fmt::format("e{}.test", i))] = memory(house, "enforce");
    }
    house.store.kept[domain("t.test")] = memory(house, "testing", hours{1}, 7200);
    house.store.kept[domain("over.test")] = memory(house, "testing", hours{3}, 7200);
    house.store.kept[domain("lonely.test")] = memory(house, "none", hours{31 * 24}, 31557600);
    StsMemory failing;
    failing.txt_errors.note(house.clock, "SERVFAIL");
    house.store.kept[domain("failing.test")] = failing;
  });
  const HttpReply reply = house.get("/v1/cache/stats");
  const auto told = reply.body();
  CHECK(told.at("domains").as_int64() == 104);
  CHECK(told.at("policies").at("enforce").as_int64() == 100);
  CHECK(told.at("policies").at("testing").as_int64() == 2);
  CHECK(told.at("failing").as_int64() == 1);
  CHECK(told.at("expired").as_int64() == 1);
  CHECK(told.at("ending_within_a_day").as_int64() == 1);
  CHECK(told.at("not_asked_for_lately").as_int64() == 1);
}

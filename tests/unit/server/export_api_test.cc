// SPDX-License-Identifier: Apache-2.0
#include "server/export_api.h"

#include <string>
#include <vector>

#include "policy/override_file.h"
#include "server/admin_house.h"

using namespace sealane;
using std::chrono::hours;
using std::chrono::seconds;

namespace {

std::string policy(const std::string& mode, const std::string& mx = "*.a.test") {
  return "version: STSv1\nmode: " + mode + "\nmx: " + mx + "\nmx: mx.a.test\nmax_age: 604800\n";
}

void keep(AdminHouse& house, const std::string& name, const std::string& body,
          hours left = hours{100}) {
  house.inside([&] {
    const auto now = house.clock.wall();
    StsMemory kept;
    kept.policy = StoredPolicy{"id1", body, now - hours{1}, now + left};
    house.store.kept[domain(name)] = kept;
  });
}

Decision by_policy() {
  Decision decision = found(Action::sts);
  decision.patterns = {*MxPattern::parse("*.a.test"), *MxPattern::parse("mx.a.test")};
  decision.sts = StsClass::enforce;
  return decision;
}

}  // namespace

TEST_CASE("an export has the enforced policies, each with the answer of this moment") {
  AdminHouse house;
  keep(house, "sts.test", policy("enforce"));
  keep(house, "dane.test", policy("enforce"));
  keep(house, "testing.test", policy("testing"));
  keep(house, "none.test", policy("none"));
  house.inside([&] {
    house.finder.decisions["sts.test"] = by_policy();
    house.finder.decisions["dane.test"] = found(Action::dane_only);
  });
  const auto lines = house.get("/v1/export").lines();
  REQUIRE(lines.size() == 2);
  CHECK(boost::json::serialize(lines[0]) ==
        R"({"domain":"dane.test","mode":"enforce","id":"id1","expires":"2026-09-25T18:13:20Z",)"
        R"("max_age":604800,"mx":["*.a.test","mx.a.test"],"status":"ok","level":"dane-only",)"
        R"("by":"dane","ttl":300,"postfix":"OK dane-only"})");
  CHECK(boost::json::serialize(lines[1]) ==
        R"({"domain":"sts.test","mode":"enforce","id":"id1","expires":"2026-09-25T18:13:20Z",)"
        R"("max_age":604800,"mx":["*.a.test","mx.a.test"],"status":"ok","level":"secure",)"
        R"("by":"mta-sts","match":["*.a.test","mx.a.test"],"ttl":300,)"
        R"("postfix":"OK secure match=.a.test:mx.a.test servername=hostname"})");
  CHECK(house.get("/v1/export?format=json").status == 400);
}

TEST_CASE("while an answer cannot be found out, the stored policy is exported: no line is less") {
  AdminHouse house;
  keep(house, "down.test", policy("enforce"));
  keep(house, "free.test", policy("enforce"));
  const auto lines = house.get("/v1/export").lines();
  REQUIRE(lines.size() == 2);
  const boost::json::value& down = lines[0];
  CHECK(down.at("status").as_string() == "temporary");
  CHECK(down.at("reason").as_string() == "down.test: resolver down");
  CHECK(down.at("level").as_string() == "secure");
  CHECK(down.at("match") == down.at("mx"));
  CHECK(down.at("postfix").as_string() == "OK secure match=.a.test:mx.a.test servername=hostname");
  CHECK(lines[1].at("status").as_string() == "none");
  CHECK(lines[1].at("postfix").as_string() == "NOTFOUND ");
}

TEST_CASE("whether a policy is over is the daemon's to say, not the wall clock's") {
  AdminHouse house;
  keep(house, "ended.test", policy("enforce"), hours{-1});  // and a fetch has failed
  keep(house, "jumped.test", policy("enforce"), hours{-1});
  keep(house, "untried.test", policy("enforce"), hours{-1});
  house.inside([&] {
    house.finder.decisions["jumped.test"] = by_policy();
    house.finder.decisions["untried.test"] = found(Action::temporary);
  });
  const auto lines = house.get("/v1/export").lines();
  REQUIRE(lines.size() == 3);
  CHECK(lines[0].at("postfix").as_string() == "NOTFOUND ");
  for (const std::size_t at : {1, 2}) {
    CHECK(lines[at].at("postfix").as_string() ==
          "OK secure match=.a.test:mx.a.test servername=hostname");
  }
}

TEST_CASE("the operator's word counts also while nothing can be found out") {
  AdminHouse house;
  for (const char* name : {"dane.test", "free.test"}) keep(house, name, policy("enforce"));
  house.inside([&] {
    house.overrides().replace(std::make_shared<Overrides>(
        parse_overrides("dane.test dane=only reason=\"a\"\nfree.test sts=off reason=\"b\"\n")
            .value()));
    for (const char* name : {"dane.test", "free.test"}) {
      house.finder.decisions[name] = found(Action::temporary);
    }
  });
  const auto lines = house.get("/v1/export").lines();
  REQUIRE(lines.size() == 2);
  CHECK(lines[0].at("postfix").as_string() == "OK dane-only");
  CHECK(lines[0].at("by").as_string() == "override");
  CHECK(lines[1].at("postfix").as_string() == "TEMP free.test: resolver down");
  CHECK(lines[1].at("level").as_string() == "temporary");
}

TEST_CASE("a name with A-labels has its name in UTF-8, unless that folds to another") {
  AdminHouse house;
  for (const char* name : {"a.test", "xn--bcher-kva.test", "xn--strae-oqa.test"}) {
    keep(house, name, policy("enforce"));
  }
  const auto lines = house.get("/v1/export").lines();
  REQUIRE(lines.size() == 3);
  CHECK_FALSE(lines[0].as_object().contains("unicode"));
  CHECK(lines[1].at("unicode").as_string() == "b\u00fccher.test");
  CHECK_FALSE(lines[2].as_object().contains("unicode"));
}

TEST_CASE("an export with something that is only in memory breaks off") {
  AdminHouse house;
  keep(house, "a.test", policy("enforce"));
  house.publish("b.test", policy("enforce"));
  house.inside([&] { house.store.full = true; });
  CHECK(house.get("/v1/export").lines().size() == 1);
  house.look_up("b.test");
  const auto lines = house.get("/v1/export").lines();
  CHECK(lines.back().as_object().contains("error"));
}

TEST_CASE("a policy that cannot be said, or not be read, holds mail instead of letting it out") {
  AdminHouse house;
  keep(house, "a.test", policy("enforce", "hostname"));
  keep(house, "mute.test", "version: STSv1\nmode: enforce\nmx: nexthop\nmax_age: 604800\n");
  keep(house, "unreadable.test", "\xff\x1b[2J");
  house.inside([&] {
    for (const char* name : {"a.test", "mute.test", "unreadable.test"}) {
      house.finder.decisions[name] = found(Action::temporary);
    }
  });
  const auto lines = house.get("/v1/export").lines();
  REQUIRE(lines.size() == 3);
  CHECK(lines[0].at("postfix").as_string() == "OK secure match=mx.a.test servername=hostname");
  for (const std::size_t at : {1, 2}) {
    CHECK(lines[at].at("postfix").as_string() ==
          "OK secure match=nobody.invalid servername=hostname");
  }
  CHECK(lines[2].at("mode").as_string() == "unreadable");
}

TEST_CASE("an export goes on over pages, also those without an enforced policy") {
  AdminHouse house;
  for (int i = 0; i < 300; ++i) {
    const bool enforced = i < 70 || i > 290;
    keep(house, fmt::format("d{:03}.test", i), policy(enforced ? "enforce" : "testing"));
  }
  const auto lines = house.get("/v1/export").lines();
  REQUIRE(lines.size() == 79);
  CHECK(lines.front().at("domain").as_string() == "d000.test");
  CHECK(lines.back().at("domain").as_string() == "d299.test");
}

TEST_CASE("the questions of a page are asked side by side") {
  AdminHouse house;
  house.inside([&] { house.finder.hold = {"a.test", "b.test"}; });
  keep(house, "a.test", policy("enforce"));
  keep(house, "b.test", policy("enforce"));
  auto slow = std::async(std::launch::async, [&] { return house.get("/v1/export").lines(); });
  std::size_t held = 0;
  for (int i = 0; i < 5'000 && held < 2; ++i) {
    house.inside([&] { held = house.finder.held(); });
    ::usleep(1'000);
  }
  CHECK(held == 2);
  house.inside([&] { house.finder.release(); });
  CHECK(slow.get().size() == 2);
}

TEST_CASE("an export that breaks off says so") {
  AdminHouse house;
  keep(house, "a.test", policy("enforce"));
  house.inside([&] { house.store.broken = true; });
  const auto lines = house.get("/v1/export").lines();
  REQUIRE(lines.size() == 1);
  CHECK(lines.front().at("error").as_string() == "the store is broken");
}

// SPDX-License-Identifier: Apache-2.0
// `sealane status` and `sealane events` against the real admin API.
#include "cli/status.h"

#include "cli/events.h"
#include "cli/verb_run.h"
#include "server/admin_house.h"

using namespace sealane;

TEST_CASE("status shows all on one screen, and ends with 1 if something is wrong") {
  AdminHouse house;
  house.publish("a.test", "version: STSv1\nmode: enforce\nmx: *.a.test\nmax_age: 604800\n");
  house.post("/v1/cache/a.test/refresh");
  const VerbRun shown = run_verb(status_command, {"--admin", house.address()});
  CHECK(shown.status == 1);  // there is a warning, and no resolver has passed a test
  CHECK(shown.says("sealaned   " SEALANE_VERSION ", up 0 s (since 2026-09-21T14:13:20Z)"));
  CHECK(shown.says("warning    a \"warning\""));
  CHECK(shown.says("resolver   DOES NOT WORK"));
  CHECK(shown.says("store      works: 1 domains, 1 policies"));
  CHECK(shown.says("failing    nothing"));
  house.inside([&] {
    house.clock.advance(std::chrono::minutes{2});
    house.fetcher.policies.clear();
  });
  house.post("/v1/cache/a.test/refresh");
  const VerbRun failing = run_verb(status_command, {"--admin", house.address()});
  CHECK(failing.says("1 domains, 1 of them with a policy"));
  CHECK(failing.says("a.test: fetch 1 times since 2026-09-21T14:15:20Z: 404"));
  const VerbRun json = run_verb(status_command, {"--admin", house.address(), "--json"});
  CHECK(boost::json::parse(json.out).at("failing").at("domains").as_int64() == 1);
}

TEST_CASE("status without a daemon ends with 3, wrong usage with 2") {
  CHECK(run_verb(status_command, {"--admin", "unix:/nonexistent/x"}).status == 3);
  CHECK(run_verb(status_command, {"a.test"}).status == 2);
}

TEST_CASE("events prints a line each, of all or of one domain") {
  AdminHouse house;
  house.inside([&] {
    for (const char* name : {"a.test", "b.test"}) {
      house.events().note(Event{house.clock.wall(), domain(name), EventKind::fetch_failed,
                                Severity::warning, "timeout", "", ""});
    }
  });
  const VerbRun all = run_verb(events_command, {"--admin", house.address()});
  CHECK(all.status == 0);
  CHECK(
      all.says("2026-09-21T14:13:20Z  warning  a.test                        fetch-failed: "
               "timeout\n"));
  CHECK(all.says("b.test"));
  CHECK_FALSE(run_verb(events_command, {"b.test", "--admin", house.address()}).says("a.test"));
  const VerbRun json = run_verb(events_command, {"--last=1", "--json", "--admin", house.address()});
  CHECK(boost::json::parse(json.out).at("domain").as_string() == "b.test");
  CHECK(run_verb(events_command, {"--severity", "loud", "--admin", house.address()}).status == 2);
  CHECK(run_verb(events_command, {"a", "b"}).status == 2);
}

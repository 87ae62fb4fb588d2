// SPDX-License-Identifier: Apache-2.0
// `sealane cache` against the real admin API.
#include "cli/cache.h"

#include <fstream>

#include "cli/verb_run.h"
#include "server/admin_house.h"

using namespace sealane;
using std::chrono::hours;
using std::chrono::seconds;

namespace {

constexpr char kPolicy[] = "version: STSv1\nmode: enforce\nmx: *.a.test\nmax_age: 604800\n";

VerbRun cache(const AdminHouse& house, std::vector<std::string> words, const Seat& seat = {}) {
  words.insert(words.end(), {"--admin", house.address()});
  return run_verb(cache_command, words, seat);
}

void keep(AdminHouse& house, const std::string& name, const std::string& body = kPolicy) {
  house.inside([&] {
    StsMemory kept;
    const auto now = house.clock.wall();
    kept.policy = StoredPolicy{"id1", body, now - hours{1}, now + hours{100}};
    kept.asked = now;
    house.store.kept[domain(name)] = kept;
  });
}

std::string file_of(const TempDir& dir, const std::string& text) {
  const std::string path = dir.file("file");
  std::ofstream(path) << text;
  return path;
}

}  // namespace

TEST_CASE("cache list prints a head and a line a domain, JSON lines, and 1 if there is none") {
  AdminHouse house;
  CHECK(cache(house, {"list"}).status == 1);
  keep(house, "a.test");
  keep(house, "b.test");
  const VerbRun text = cache(house, {"list"});
  CHECK(text.status == 0);
  CHECK(text.says("MODE"));
  CHECK(text.says("enforce"));
  CHECK(text.says("a.test\n"));
  CHECK(std::count(text.out.begin(), text.out.end(), '\n') == 3);
  CHECK(text.out.find('\x1b') == std::string::npos);
  CHECK(cache(house, {"list"}, {"", true, true}).says("\x1b[32menforce"));
  const VerbRun lines = cache(house, {"list", "--json", "--limit", "1"});
  CHECK(boost::json::parse(lines.out).at("domain").as_string() == "a.test");
  CHECK(cache(house, {"list", "--mode", "testing"}).status == 1);
  CHECK(cache(house, {"list", "--mode", "loud"}).status == 2);
  CHECK(cache(house, {"list", "--expires-in", "200h", "--older-than", "30m"}).status == 0);
  CHECK(cache(house, {"list", "--expires-in", "soon"}).status == 2);
}

TEST_CASE("cache show prints the policy, what fails and the history, safe for a terminal") {
  AdminHouse house;
  keep(house, "a.test",
       std::string(kPolicy) +
           "x: \xe2\x80\xae"
           "evil\n");
  house.inside([&] {
    house.store.kept[domain("a.test")].fetch_errors.note(house.clock, "\x1b]0;x\x07");
    house.store.told.push_back(Event{house.clock.wall(), domain("a.test"), EventKind::policy_weaker,
                                     Severity::warning, "weaker", "mode enforce", "mode none"});
  });
  const VerbRun shown = cache(house, {"show", "a.test"});
  CHECK(shown.status == 0);
  CHECK(shown.says("mode        enforce"));
  CHECK(shown.says("  mx: *.a.test"));
  CHECK(shown.says("x: \\xe2\\x80\\xaeevil"));
  CHECK(shown.says("policy-weaker: weaker; before: mode enforce; now: mode none"));
  CHECK(shown.out.find('\x1b') == std::string::npos);
  // JSON has the same characters, but none that a terminal obeys.
  for (const char* verb : {"show", "export"}) {
    const bool one = std::string_view(verb) == "show";
    const VerbRun as_json = one ? cache(house, {verb, "a.test", "--json"}) : cache(house, {verb});
    CHECK(as_json.says("\\u202e"));
    CHECK(std::all_of(as_json.out.begin(), as_json.out.end() - 1,
                      [](char c) { return c >= ' ' && c <= '~'; }));
    const auto parsed = boost::json::parse(as_json.out);
    CHECK(parsed.at("policy").as_string().find("\xe2\x80\xae") != boost::json::string::npos);
  }
  CHECK(cache(house, {"show", "none.test"}).status == 1);
  CHECK(cache(house, {"show", "a..b"}).status == 2);
  CHECK(cache(house, {"show"}).status == 2);
}

TEST_CASE("cache refresh tells what came of it") {
  AdminHouse house;
  house.publish("a.test", kPolicy);
  const VerbRun fetched = cache(house, {"refresh", "a.test"});
  CHECK(fetched.status == 0);
  CHECK(fetched.says("a.test: fetched: a policy with mode enforce is known"));
  house.publish("b.test", kPolicy);
  house.inside([&] { house.fetcher.policies.erase("b.test"); });
  CHECK(cache(house, {"refresh", "b.test"}).status == 1);
}

TEST_CASE("cache purge asks, tells what is given up, and does nothing without a yes") {
  AdminHouse house;
  keep(house, "a.test");
  const VerbRun asked = cache(house, {"purge", "a.test"}, {"n\n", true});
  CHECK(asked.status == 1);
  CHECK(asked.complains("a policy with mode enforce until"));
  CHECK(asked.complains("who can suppress"));
  const VerbRun nobody = cache(house, {"purge", "a.test"}, {"y\n", false});
  CHECK(nobody.status == 2);
  CHECK(nobody.complains("--force"));
  house.inside([&] { CHECK(house.store.kept.size() == 1); });
  const VerbRun agreed = cache(house, {"purge", "a.test"}, {"y\n", true});
  CHECK(agreed.status == 0);
  CHECK(agreed.says("a.test: forgotten"));
  house.inside([&] { CHECK(house.store.kept.empty()); });
  keep(house, "b.test");
  CHECK(cache(house, {"purge", "b.test", "--force"}).status == 0);
  CHECK(cache(house, {"purge", "none.test", "--force"}).status == 1);
}

TEST_CASE("an export is an import elsewhere, and a second one changes nothing") {
  AdminHouse old_house;
  for (int i = 0; i < 100; ++i) keep(old_house, fmt::format("d{}.test", i));
  const VerbRun exported = cache(old_house, {"export"});
  REQUIRE(exported.status == 0);
  AdminHouse house;
  const TempDir dir;
  const std::string file = file_of(dir, exported.out);
  const VerbRun imported = cache(house, {"import", file});
  CHECK(imported.status == 0);
  CHECK(imported.out == "taken 100\n");
  CHECK(cache(house, {"export"}).out == exported.out);
  const VerbRun again = cache(house, {"import", "-"}, {exported.out, false});
  CHECK(again.status == 0);
  CHECK(again.out == "not-newer 100\n");
  CHECK(again.complains("line 100: d99.test: not-newer"));
}

TEST_CASE("an import of rubbish names the lines and ends with 1") {
  AdminHouse house;
  const VerbRun rubbish = cache(house, {"import", "-"}, {"\n\nnot json\n", false});
  CHECK(rubbish.status == 1);
  CHECK(rubbish.complains("line 3: invalid"));
  CHECK(cache(house, {"import", "/nonexistent"}).status == 3);
  CHECK(cache(house, {"import", "-", "--from", "elsewhere"}).status == 2);
  CHECK(cache(house, {"import", "-"}, {std::string(600'000, 'x'), false}).status == 3);
}

TEST_CASE("cache warm takes the first word of each line, and each domain once") {
  AdminHouse house;
  house.publish("a.test", kPolicy);
  const std::string list = "# a comment\nA.test secure match=x\na.test\n\nnone.test\na..b\n";
  const VerbRun warmed = cache(house, {"warm", "-"}, {list, false});
  CHECK(warmed.status == 1);
  CHECK(warmed.says("found    enforce   a.test"));
  CHECK(warmed.says("none               none.test"));
  CHECK(warmed.complains("found 1, invalid 1, none 1"));
  const VerbRun again = cache(house, {"warm", "-"}, {"a.test\n", true});
  CHECK(again.status == 0);
  CHECK(again.complains("] 1/1  known 1"));
  CHECK(again.out.empty());
  const VerbRun tlspol = cache(house, {"import", "-", "--from", "postfix-tlspol"},
                               {"a.test                       secure match=mx.a.test\n", false});
  CHECK(tlspol.says("known    enforce   a.test"));
}

TEST_CASE("cache stats prints numbers") {
  AdminHouse house;
  keep(house, "a.test");
  const VerbRun stats = cache(house, {"stats"});
  CHECK(stats.status == 0);
  CHECK(stats.says("policies, mode enforce            1\n"));
  CHECK(boost::json::parse(cache(house, {"stats", "--json"}).out).at("domains").as_int64() == 1);
}

TEST_CASE("wrong usage, and a daemon that is not there") {
  CHECK(run_verb(cache_command, {}).status == 2);
  const VerbRun unknown = run_verb(cache_command, {"\x1b[2J"});
  CHECK(unknown.status == 2);
  CHECK(unknown.err.find('\x1b') == std::string::npos);
  for (const char* verb : {"list", "stats", "export"}) {
    CHECK(run_verb(cache_command, {verb, "--admin", "unix:/nonexistent/x"}).status == 3);
    CHECK(run_verb(cache_command, {verb, "too", "many"}).status == 2);
  }
}

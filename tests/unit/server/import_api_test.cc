// SPDX-License-Identifier: Apache-2.0
#include "server/import_api.h"

#include <algorithm>
#include <string>

#include "base/utc.h"
#include "server/admin_house.h"
#include "server/import_stream.h"

using namespace sealane;
namespace json = boost::json;
using std::chrono::hours;
using std::chrono::seconds;

namespace {

constexpr long kWeek = 604800;

std::string policy(std::string_view mode, long max_age = kWeek) {
  return fmt::format("version: STSv1\nmode: {}\nmx: *.a.test\nmax_age: {}\n", mode, max_age);
}

struct Line {
  std::string domain = "a.test";
  std::string body = policy("enforce");
  seconds age{3600};
  seconds life{kWeek};
};

std::string text(const AdminHouse& house, const Line& line) {
  const auto fetched = house.clock.wall() - line.age;
  return json::serialize(json::object{{"domain", line.domain},
                                      {"policy", line.body},
                                      {"id", "id9"},
                                      {"fetched", utc_text(fetched)},
                                      {"expires", utc_text(fetched + line.life)}}) +
         "\n";
}

std::string result_of(const AdminHouse& house, const Line& line) {
  const auto lines = house.post("/v1/cache/import", text(house, line)).lines();
  REQUIRE(lines.size() == 1);
  return std::string(lines.front().at("result").as_string());
}

std::map<std::string, std::string> warm(const AdminHouse& house, const std::string& names) {
  std::map<std::string, std::string> found;
  for (const auto& line : house.post("/v1/cache/warm", names).lines()) {
    const std::string name(line.at("domain").as_string());
    CHECK_FALSE(found.contains(name));
    found[name] = std::string(line.at("result").as_string());
  }
  return found;
}

}  // namespace

TEST_CASE("an imported policy is in force, durable, and counts as asked for") {
  AdminHouse house;
  CHECK(result_of(house, {}) == "taken");
  const HttpReply shown = house.get("/v1/cache/a.test");
  CHECK(shown.member("mode") == "enforce");
  CHECK(shown.member("id") == "id9");
  CHECK(shown.member("fetched") == utc_text(house.clock.wall() - hours{1}));
  CHECK(shown.member("asked") == utc_text(house.clock.wall()));
  CHECK(shown.body().at("history").at(0).at("kind").as_string() == "policy-imported");
  house.inside([&] { CHECK(house.store.kept.contains(domain("a.test"))); });
}

TEST_CASE("an import never replaces what is newer, protects more or lasts longer") {
  AdminHouse house;
  REQUIRE(result_of(house, {"a.test", policy("testing"), hours{2}, seconds{kWeek}}) == "taken");
  CHECK(result_of(house, {"a.test", policy("testing"), hours{2}, seconds{kWeek}}) == "not-newer");
  CHECK(result_of(house, {"a.test", policy("enforce"), hours{3}, seconds{kWeek}}) == "not-newer");
  CHECK(result_of(house, {"a.test", policy("none"), hours{1}, seconds{kWeek}}) == "weaker");
  CHECK(result_of(house, {"a.test", policy("enforce"), hours{1}, seconds{86400}}) == "shorter");
  CHECK(result_of(house, {"a.test", policy("enforce"), hours{1}, seconds{kWeek}}) == "taken");
  CHECK(result_of(house, {"a.test", policy("testing"), seconds{60}, seconds{kWeek}}) == "weaker");
  CHECK(house.get("/v1/cache/a.test").member("mode") == "enforce");
}

TEST_CASE("a policy that has run out gives way to a weaker one only after a fetch was tried") {
  AdminHouse house;
  REQUIRE(result_of(house, {"a.test", policy("enforce"), hours{1}, seconds{kWeek}}) == "taken");
  house.inside([&] { house.clock.advance(seconds{kWeek}); });
  const seconds older{kWeek + 7200};
  CHECK(result_of(house, {"a.test", policy("none"), seconds{60}, seconds{kWeek}}) == "weaker");
  CHECK(result_of(house, {"a.test", policy("enforce", 2 * kWeek), older, 2 * seconds{kWeek}}) ==
        "not-newer");
  CHECK(house.post("/v1/cache/a.test/refresh", "").member("outcome") == "failed");
  CHECK(result_of(house, {"a.test", policy("none"), seconds{60}, seconds{kWeek}}) == "taken");
}

TEST_CASE("an older policy does not replace one that cannot be read") {
  AdminHouse house;
  house.inside([&] {
    const auto now = house.clock.wall();
    house.store.kept[domain("a.test")].policy =
        StoredPolicy{"x", "rubbish", now - hours{5}, now + hours{50}};
  });
  CHECK(result_of(house, {"a.test", policy("none"), hours{6}, seconds{kWeek}}) == "not-newer");
  CHECK(result_of(house, {"a.test", policy("enforce"), hours{1}, seconds{kWeek}}) == "taken");
}

TEST_CASE("a policy of doubtful age takes the place of none") {
  AdminHouse house;
  const auto doubtful = [&](const Line& line) {
    json::object told = json::parse(text(house, line)).as_object();
    told["only_new"] = true;
    return std::string(house.post("/v1/cache/import", json::serialize(told))
                           .lines()
                           .at(0)
                           .at("result")
                           .as_string());
  };
  CHECK(doubtful({"a.test", policy("testing"), hours{2}, seconds{kWeek}}) == "taken");
  CHECK(doubtful({"a.test", policy("enforce"), hours{1}, seconds{kWeek}}) == "known");
  CHECK(house.get("/v1/cache/a.test").member("mode") == "testing");
  house.inside([&] { house.clock.advance(seconds{kWeek}); });
  CHECK(doubtful({"a.test", policy("enforce"), hours{1}, seconds{kWeek}}) == "known");
}

TEST_CASE("answers that were ready go, also if what was imported could not be stored") {
  AdminHouse house;
  const auto found = [&] {
    std::size_t count = 0;
    house.get("/v1/query?key=a.test");
    house.inside([&] { count = house.finder.count("a.test"); });
    return count;
  };
  const std::size_t before = found();
  REQUIRE(found() == before);
  house.inside([&] { house.store.broken = true; });
  CHECK(result_of(house, {}) == "not-stored");
  CHECK(found() == before + 1);
}

TEST_CASE("a policy of the store that is not in memory is as safe from an import") {
  AdminHouse house;
  house.inside([&] {
    StsMemory kept;
    const auto now = house.clock.wall();
    kept.policy = StoredPolicy{"x", policy("enforce"), now - hours{5}, now + hours{50}};
    house.store.kept[domain("a.test")] = kept;
  });
  CHECK(result_of(house, {"a.test", policy("testing"), hours{1}, seconds{kWeek}}) == "weaker");
}

TEST_CASE("an import with times that cannot be is refused, and a life is never lengthened") {
  AdminHouse house;
  CHECK(result_of(house, {"a.test", policy("enforce"), hours{-1}, seconds{kWeek}}) ==
        "from-future");
  CHECK(result_of(house, {"a.test", policy("enforce"), hours{24 * 8}, seconds{kWeek}}) ==
        "expired");
  CHECK(result_of(house, {"a.test", policy("enforce"), hours{1}, seconds{-1}}) == "expired");
  CHECK(result_of(house, {"a.test", policy("enforce", 0), seconds{1}, seconds{kWeek}}) ==
        "invalid");
  CHECK(result_of(house, {"a.test", policy("enforce", 7200), hours{1}, seconds{kWeek}}) == "taken");
  CHECK(house.get("/v1/cache/a.test").member("expires") == utc_text(house.clock.wall() + hours{1}));
}

TEST_CASE("each line is reported on by its number, and a bad one holds up none") {
  AdminHouse house;
  const std::string good = text(house, {"good.test", policy("enforce"), hours{1}, seconds{kWeek}});
  const std::string body = "not json\n\n{}\n[]\n" + good + "{\"domain\":\"\x1b[2J\"}\n" +
                           text(house, {"b.test", "mode: enforce", hours{1}, seconds{kWeek}}) +
                           good.substr(0, good.size() - 1);
  const auto lines = house.post("/v1/cache/import", body).lines();
  REQUIRE(lines.size() == 7);
  for (const int i : {0, 1, 2, 4, 5}) CHECK(lines[i].at("result").as_string() == "invalid");
  CHECK(lines[0].at("line").as_int64() == 1);
  CHECK(lines[1].at("line").as_int64() == 3);
  CHECK(lines[3].at("line").as_int64() == 5);
  CHECK(lines[3].at("result").as_string() == "taken");
  CHECK(lines[6].at("result").as_string() == "not-newer");
}

TEST_CASE("hostile lines are refused with a reason and nothing else") {
  const AdminHouse house;
  const std::string deep(100'000, '[');
  const std::string good = text(house, {});
  const auto with = [&](const char* name, json::value value) {
    json::object changed = json::parse(good).as_object();
    changed[name] = std::move(value);
    return json::serialize(changed);
  };
  for (const std::string& line : std::initializer_list<std::string>{
           deep,
           std::string(kMaxImportLine + 1, ' '),
           std::string("\0", 1),
           with("domain", 7),
           with("domain", json::string(std::string(300, 'a'))),
           with("policy", nullptr),
           with("policy", json::string(std::string(kMaxPolicyBody + 1, 'x'))),
           with("fetched", "yesterday"),
           with("fetched", 5),
           with("expires", "2026-13-01T00:00:00Z"),
           with("id", "a b"),
           with("id", json::string(std::string(33, 'a'))),
           with("asked", "soon"),
           with("only_new", 1),
           std::string("\"x\""),
           good.substr(0, good.size() / 2),
           std::string("{\"domain\":\"\xff.test\"}"),
       }) {
    CAPTURE(line.substr(0, 80));
    CHECK_FALSE(parse_import(line).has_value());
  }
  CHECK(parse_import(good).has_value());
}

TEST_CASE("a body that is too long is refused") {
  const AdminHouse house;
  const std::string head = fmt::format(
      "POST /v1/cache/import HTTP/1.1\r\nContent-Length: {}\r\n\r\n", kMaxImportBody + 1);
  CHECK(parse_reply(raw_request(house.path(), head)).status == 413);
  const std::string blank(kMaxImportBody, '\n');
  CHECK(house.post("/v1/cache/import", blank).status == 200);
}

TEST_CASE("domains are looked up ahead, each once, and are asked for from then on") {
  AdminHouse house;
  house.publish("found.test", policy("testing"));
  house.publish("broken.test", policy("testing"));
  house.inside([&] {
    house.fetcher.policies.erase("broken.test");
    StsMemory kept;
    const auto now = house.clock.wall();
    kept.policy = StoredPolicy{"x", policy("enforce"), now - hours{5}, now + hours{50}};
    house.store.kept[domain("known.test")] = kept;
  });
  const auto found =
      warm(house,
           "found.test\n FOUND.test \r\nknown.test\nnone.test\n\nbroken.test\na..b\nb\xc3\xbc"
           "cher.test\n");
  CHECK(found == std::map<std::string, std::string>{{"found.test", "found"},
                                                    {"known.test", "known"},
                                                    {"none.test", "none"},
                                                    {"broken.test", "failed"},
                                                    {"a..b", "invalid"},
                                                    {"xn--bcher-kva.test", "none"}});
  house.inside([&] {
    CHECK(house.fetcher.asked == std::vector<std::string>{"found.test", "broken.test"});
    CHECK(house.store.kept.at(domain("found.test")).asked == house.clock.wall());
    CHECK(house.store.kept.at(domain("known.test")).asked == house.clock.wall());
    CHECK_FALSE(house.store.kept.contains(domain("none.test")));
  });
  CHECK(warm(house, "found.test\n")["found.test"] == "known");
  house.inside([&] { CHECK(house.fetcher.asked.size() == 2); });
}

TEST_CASE("names that are none are reported on a few at a time") {
  AdminHouse house;
  std::string names;
  for (int i = 0; i < 1'000; ++i) names += "a..b\n";
  const std::string all = raw_request(
      house.path(), fmt::format("POST /v1/cache/warm HTTP/1.1\r\nContent-Length: {}\r\n\r\n{}",
                                names.size(), names));
  const std::string body = all.substr(all.find("\r\n\r\n") + 4);
  std::size_t lines = 0;
  for (std::size_t at = 0; at < body.size();) {
    const std::size_t start = body.find("\r\n", at) + 2;
    const std::size_t size = std::stoul(body.substr(at), nullptr, 16);
    const std::string piece = body.substr(start, size);
    const auto count = static_cast<std::size_t>(std::count(piece.begin(), piece.end(), '\n'));
    CHECK(count <= 50);
    lines += count;
    at = start + size + 2;
  }
  CHECK(lines == 1'000);
}

TEST_CASE("a list of domains keeps its pace, and a client that leaves ends it") {
  AdminHouse house;
  std::string names;
  for (int i = 0; i < 1'000; ++i) names += fmt::format("d{}.test\n", i);
  {
    SocketClient client(house.path());
    client.send(fmt::format("POST /v1/cache/warm HTTP/1.1\r\nContent-Length: {}\r\n\r\n{}",
                            names.size(), names));
    ::usleep(1'000'000);
  }
  std::size_t asked = 0;
  house.inside([&] { asked = house.resolver.asked.size(); });
  CHECK(asked > 5);
  CHECK(asked <= kWarmPerSecond * 2);
  ::usleep(1'000'000);
  std::size_t later = 0;
  house.inside([&] { later = house.resolver.asked.size(); });
  ::usleep(500'000);
  house.inside([&] { CHECK(house.resolver.asked.size() == later); });
  CHECK(later < asked + 20);
}

// SPDX-License-Identifier: Apache-2.0
#include "server/events_api.h"

#include <string>

#include "policy/override_file.h"
#include "server/admin_house.h"

using namespace sealane;

namespace {

void tell(AdminHouse& house, const std::string& name, Severity severity, const std::string& text) {
  house.inside([&] {
    house.events().note(Event{house.clock.wall(), domain(name), EventKind::policy_changed, severity,
                              text, "before", "now"});
  });
}

std::string texts(const HttpReply& reply) {
  std::string all;
  for (const auto& line : reply.lines()) all += std::string(line.at("text").as_string()) + ' ';
  return all;
}

}  // namespace

TEST_CASE("events come in order, of all domains or one, from an id on, and the last of them") {
  AdminHouse house;
  tell(house, "a.test", Severity::info, "1");
  tell(house, "b.test", Severity::warning, "2");
  tell(house, "a.test", Severity::error, "3");
  const HttpReply all = house.get("/v1/events");
  CHECK(texts(all) == "1 2 3 ");
  const auto first = all.lines().front();
  CHECK(first.at("id").as_int64() == 1);
  CHECK(first.at("time").as_string() == "2026-09-21T14:13:20Z");
  CHECK(first.at("domain").as_string() == "a.test");
  CHECK(first.at("kind").as_string() == "policy-changed");
  CHECK(first.at("severity").as_string() == "info");
  CHECK(first.at("old").as_string() == "before");
  CHECK(first.at("new").as_string() == "now");
  CHECK(texts(house.get("/v1/events?domain=A.test")) == "1 3 ");
  CHECK(texts(house.get("/v1/events?after=1")) == "2 3 ");
  CHECK(texts(house.get("/v1/events?last=1")) == "3 ");
  CHECK(texts(house.get("/v1/events?last=2&severity=error")) == "3 ");
  CHECK(texts(house.get("/v1/events?severity=warning")) == "2 3 ");
  for (const char* wrong : {"domain=a..b", "after=x", "last=1001", "severity=loud", "x=y"}) {
    CHECK(house.get(std::string("/v1/events?") + wrong).status == 400);
  }
}

TEST_CASE("more events than a page has are told all, and the last of them are the last") {
  AdminHouse house;
  house.inside([&] {
    for (int i = 0; i < 1'234; ++i) {
      house.store.told.push_back(Event{house.clock.wall(), domain("a.test"), EventKind::policy_new,
                                       Severity::info, std::to_string(i), "", ""});
    }
  });
  CHECK(house.get("/v1/events").lines().size() == 1'234);
  CHECK(texts(house.get("/v1/events?last=3")) == "1231 1232 1233 ");
}

TEST_CASE("who follows hears of an event when it happens") {
  AdminHouse house;
  tell(house, "a.test", Severity::info, "old");
  SocketClient client(house.path());
  client.send("GET /v1/events?follow=1&after=1 HTTP/1.0\r\n\r\n");
  ::usleep(500'000);
  tell(house, "a.test", Severity::info, "fresh");
  ::usleep(700'000);
  house.close();
  const std::string all = client.all();
  CHECK(all.find("\"text\":\"fresh\"") != std::string::npos);
  CHECK(all.find("\"text\":\"old\"") == std::string::npos);
}

TEST_CASE("the overrides are listed, and those that are over are marked") {
  AdminHouse house;
  auto rules = parse_overrides(
      "a.test postfix=\"may\" reason=\"x\"\n"
      ".b.test dane=off sts=off until=2020-01-01 reason=\"over\"\n");
  REQUIRE(rules.has_value());
  house.inside([&] { house.overrides().replace(std::make_shared<Overrides>(*rules)); });
  const auto lines = house.get("/v1/overrides").lines();
  REQUIRE(lines.size() == 2);
  CHECK(lines[0].at("place").as_string() == "a.test");
  CHECK(lines[0].at("postfix").as_string() == "may");
  CHECK(lines[0].at("in_force").as_bool());
  CHECK(lines[1].at("place").as_string() == ".b.test");
  CHECK_FALSE(lines[1].at("in_force").as_bool());
  CHECK(lines[1].at("dane").as_string() == "off");
  CHECK(lines[1].at("sts").as_string() == "off");
  CHECK(lines[1].at("until").as_string() == "2020-01-02T00:00:00Z");
  CHECK(house.get("/v1/status").body().at("overrides").at("expired").as_int64() == 1);
}

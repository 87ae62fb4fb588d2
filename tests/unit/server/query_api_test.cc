// SPDX-License-Identifier: Apache-2.0
#include "server/query_api.h"

#include <string>

#include "server/admin_house.h"

using namespace sealane;

TEST_CASE("a query shows the exact payload, its status and how long it holds") {
  const AdminHouse house;
  const HttpReply reply = house.get("/v1/query?key=A.test&dialect=postfix");
  CHECK(reply.status == 200);
  CHECK(reply.head.find("Content-Type: application/json") != std::string::npos);
  CHECK(reply.member("key") == "A.test");
  CHECK(reply.member("dialect") == "postfix");
  CHECK(reply.member("status") == "OK");
  CHECK(reply.member("reply") == "OK dane-only");
  CHECK(reply.member("action") == "dane-only");
  CHECK(reply.body().at("ttl").as_int64() == 120);
  CHECK_FALSE(reply.body().as_object().contains("reason"));
}

TEST_CASE("a query without a dialect is one of Postfix, and none is NOTFOUND with its blank") {
  const AdminHouse house;
  const HttpReply reply = house.get("/v1/query?key=b.test");
  CHECK(reply.member("status") == "NOTFOUND");
  CHECK(reply.member("reply") == "NOTFOUND ");
}

TEST_CASE("Exim's line is shown as it is sent, and its status is told in the same words") {
  const AdminHouse house;
  const HttpReply dane = house.get("/v1/query?key=a.test&dialect=exim");
  CHECK(dane.member("dialect") == "exim");
  CHECK(dane.member("status") == "OK");
  CHECK(dane.member("reply") == "level=dane ttl=120");
  CHECK(house.get("/v1/query?key=b.test&dialect=exim").member("status") == "NOTFOUND");
  const HttpReply down = house.get("/v1/query?key=down.test&dialect=exim");
  CHECK(down.member("status") == "TEMP");
  CHECK(down.member("reply") == "level=temp reason=\"down.test: resolver down\"");
}

TEST_CASE("what is known of a message can be told for Exim, and for nobody else") {
  AdminHouse house;
  const auto asked = [&] {
    RequestFlags flags;
    house.inside([&] { flags = house.finder.asked.back().flags; });
    return flags;
  };
  const std::string exim = "/v1/query?key=a.test&dialect=exim";
  CHECK(house.get(exim + "&requiretls=1&tls-required=no").status == 200);
  CHECK(asked() == RequestFlags{true, true});
  CHECK(house.get(exim + "&tls-required=no").status == 200);
  CHECK(asked() == RequestFlags{false, true});
  CHECK(house.get(exim + "&requiretls=0").status == 400);
  CHECK(house.get(exim + "&tls-required=yes").status == 400);
  const HttpReply refused = house.get("/v1/query?key=a.test&requiretls=1");
  CHECK(refused.status == 400);
  CHECK(refused.member("error").find("dialect=exim") != std::string::npos);
}

TEST_CASE("an answer that cannot be said is a temporary one, with its reason and its short life") {
  AdminHouse house;
  Decision mute = found(Action::sts, std::chrono::seconds{300});
  mute.patterns = {*MxPattern::parse("hostname")};
  house.finder.decisions["mute.test"] = mute;
  const HttpReply reply = house.get("/v1/query?key=mute.test");
  CHECK(reply.member("status") == "TEMP");
  CHECK(reply.member("action") == "sts");
  CHECK(reply.member("reason").find("no name of the MTA-STS policy") != std::string::npos);
  CHECK(reply.body().at("ttl").as_int64() == kMaxTemporaryTtl.count());
  // Exim's list can say it.
  CHECK(house.get("/v1/query?key=mute.test&dialect=exim").member("status") == "OK");
}

TEST_CASE("a temporary answer has its reason") {
  const AdminHouse house;
  const HttpReply reply = house.get("/v1/query?key=down.test");
  CHECK(reply.member("status") == "TEMP");
  CHECK(reply.member("reason") == "resolver down");
  CHECK(reply.member("reply") == "TEMP down.test: resolver down");
}

TEST_CASE("a key may be percent-encoded, and what is no text comes back escaped") {
  const AdminHouse house;
  CHECK(house.get("/v1/query?key=%61%2etest").member("reply") == "OK dane-only");
  CHECK(house.get("/v1/query?key=b%C3%BCcher.test").member("key") ==
        "b\xc3\xbc"
        "cher.test");
  const HttpReply bad = house.get("/v1/query?key=a%FF.test");
  CHECK(bad.member("key") == "a\\xff.test");
  CHECK(bad.member("status") == "TEMP");
  CHECK(house.get("/v1/query?key=%1b%5B2J").member("status") == "NOTFOUND");
}

TEST_CASE("what cannot be answered is an error in JSON") {
  const AdminHouse house;
  struct Row {
    const char* target;
    int status;
    const char* part;
  };
  for (const Row& row : std::initializer_list<Row>{
           {"/v1/query", 400, "key is missing"},
           {"/v1/query?", 400, "key is missing"},
           {"/v1/query?key=a.test&dialect=nonsense", 400, "there are postfix"},
           {"/v1/query?key=a.test&x=y", 400, "the parameters are"},
           {"/v1/query?key=a&key=b", 400, "cannot be read"},
           {"/v1/query?key=%zz", 400, "cannot be read"},
           {"/v1/query?key=%4", 400, "cannot be read"},
           {"/", 404, "/v1/query"},
           {"/v2/query?key=a.test", 404, "/v1/query"},
       }) {
    CAPTURE(row.target);
    const HttpReply reply = house.get(row.target);
    CHECK(reply.status == row.status);
    CHECK(reply.member("error").find(row.part) != std::string::npos);
  }
  const HttpReply wrong = request(house.path(), "POST", "/v1/query?key=a.test");
  CHECK(wrong.status == 405);
  CHECK(wrong.head.find("Allow: GET") != std::string::npos);
}

TEST_CASE("the status has the version, the start, the warnings and the counters") {
  const AdminHouse house;
  house.get("/v1/query?key=a.test");
  house.get("/v1/query?key=a.test");
  const HttpReply reply = house.get("/v1/status");
  CHECK(reply.member("version") == SEALANE_VERSION);
  CHECK(reply.member("up_since") == "2026-09-21T14:13:20Z");
  CHECK(reply.body().at("warnings").as_array().at(0).as_string() == "a \"warning\"");
  CHECK(reply.body().at("cache").at("hits").as_int64() == 1);
  CHECK(reply.body().at("cache").at("lookups").as_int64() == 1);
  CHECK(reply.body().at("socketmap").at("connections").as_int64() == 0);
}

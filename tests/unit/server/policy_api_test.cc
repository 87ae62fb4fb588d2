// SPDX-License-Identifier: Apache-2.0
#include "server/policy_api.h"

#include <doctest/doctest.h>

#include "server/config.h"
#include "server/front_house.h"
#include "server/http_client.h"

using namespace sealane;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

using House = FrontHouse<HttpServer>;

House::Make make(HttpLimits limits = policy_limits(), std::uint32_t rate = kMaxPolicyRate) {
  return [=](boost::asio::any_io_executor executor, AnswerCache& cache, const Clock& clock) {
    auto server =
        std::make_unique<HttpServer>(executor, limits, std::make_unique<RateLimiter>(clock, rate));
    server->add(policy_route(cache, clock));
    return server;
  };
}

Decision sts(std::vector<std::string> patterns) {
  Decision decision = found(Action::sts);
  for (const std::string& text : patterns) decision.patterns.push_back(*MxPattern::parse(text));
  decision.sts = StsClass::enforce;
  return decision;
}

HttpReply get(const House& house, const std::string& target) {
  return request(house.path(), "GET", target);
}

HttpReply over_tcp(House& house, const std::string& target) {
  SocketClient client(house.port());
  REQUIRE(client.connected());
  client.send("GET " + target + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  return parse_reply(client.all());
}

}  // namespace

TEST_CASE("a policy says what is demanded, by what, of which hosts, and for how long") {
  House house(make());
  house.finder.decisions["dane.test"] = found(Action::dane_only, seconds{120});
  house.finder.decisions["sts.test"] = sts({"mx.sts.test", "*.example.net"});
  house.run();
  const HttpReply dane = over_tcp(house, "/v1/policy/Dane.Test.");
  CHECK(dane.status == 200);
  CHECK(dane.text ==
        R"({"domain":"dane.test","dialect":"postfix","status":"ok","level":"dane-only",)"
        R"("by":"dane","ttl":120,"postfix":"OK dane-only"})"
        "\n");
  CHECK(get(house, "/v1/policy/sts.test").text ==
        R"({"domain":"sts.test","dialect":"postfix","status":"ok","level":"secure",)"
        R"("by":"mta-sts","match":["mx.sts.test","*.example.net"],"mode":"enforce","ttl":300,)"
        R"("postfix":"OK secure match=mx.sts.test:.example.net servername=hostname"})"
        "\n");
  CHECK(get(house, "/v1/policy/none.test").text ==
        R"({"domain":"none.test","dialect":"postfix","status":"none","level":"none","ttl":300,)"
        R"("postfix":"NOTFOUND "})"
        "\n");
}

TEST_CASE("what is not known is a status of HTTP that nobody takes for none") {
  House house(make());
  house.finder.decisions["down.test"] = found(Action::temporary, seconds{30});
  house.finder.decisions["fault.test"] = found(Action::temporary, seconds{0});
  house.finder.decisions["mute.test"] = sts({"hostname"});
  house.run();
  const HttpReply reply = get(house, "/v1/policy/down.test");
  CHECK(reply.status == 503);
  CHECK(reply.head.find("\r\nRetry-After: 30") != std::string::npos);
  CHECK(reply.member("status") == "temporary");
  CHECK(reply.member("level") == "temporary");
  CHECK(reply.member("reason") == "down.test: resolver down");
  CHECK(get(house, "/v1/policy/fault.test").head.find("\r\nRetry-After: 1") != std::string::npos);
  // A demand that cannot be said.
  const HttpReply mute = get(house, "/v1/policy/mute.test");
  CHECK(mute.status == 503);
  CHECK(mute.member("level") == "temporary");
  CHECK(mute.member("mode") == "enforce");
}

TEST_CASE("pins, the operator's own policy, and observing are told") {
  House house(make());
  Decision pins = found(Action::pins);
  pins.fingerprints = {"ab01", "cd02"};
  Decision fixed = found(Action::fixed);
  fixed.fixed_reply = "secure match=mx.fixed.test servername=hostname";
  Decision observed = found(Action::not_found);
  observed.notices = {Notice::observed};
  house.finder.decisions["pins.test"] = pins;
  house.finder.decisions["fixed.test"] = fixed;
  house.finder.decisions["observed.test"] = observed;
  house.run();
  const HttpReply pinned = get(house, "/v1/policy/pins.test?dialect=postfix-pins");
  CHECK(pinned.member("dialect") == "postfix-pins");
  CHECK(pinned.member("level") == "fingerprint");
  CHECK(boost::json::serialize(pinned.body().at("fingerprints")) == R"(["ab01","cd02"])");
  CHECK_FALSE(pinned.body().as_object().contains("match"));
  const HttpReply own = get(house, "/v1/policy/fixed.test");
  CHECK(own.member("level") == "secure");
  CHECK(own.member("by") == "override");
  CHECK(boost::json::serialize(own.body().at("match")) == R"(["mx.fixed.test"])");
  CHECK(get(house, "/v1/policy/observed.test").body().at("observing").as_bool());
  CHECK(get(house, "/v1/policy/a.test?dialect=exim").status == 400);
  CHECK(get(house, "/v1/policy/a.test?level=none").status == 400);
}

TEST_CASE("a domain is one, and nothing else that an MTA may ask for") {
  House house(make());
  house.run();
  CHECK(get(house, "/v1/policy/b%C3%BCcher.test").member("domain") == "xn--bcher-kva.test");
  CHECK(house.asked() == 1);
  for (const char* name :
       {"192.0.2.1", "2001:db8::1", "%5B192.0.2.1%5D", "%5BIPv6:2001:db8::1%5D", "[mx.a.test]",
        "a.test:25", "a.test:587", ".a.test", "a..test", "a_b.%20test", "%00", "%ff", "%1b%5b2J",
        "a%2Fb", "%E2%80%AE.test", "%22%7D"}) {
    CAPTURE(name);
    const HttpReply reply = get(house, std::string("/v1/policy/") + name);
    CHECK(reply.status == 400);
    CHECK(reply.member("error").starts_with("a domain is wanted: "));
    CHECK(std::all_of(reply.text.begin(), reply.text.end() - 1,
                      [](char c) { return c >= ' ' && c <= '~'; }));
  }
  CHECK(get(house, "/v1/policy/" + std::string(10'000, 'a')).status == 400);
  CHECK(house.asked() == 1);
}

TEST_CASE("a dialect in which none does not mean that nothing is demanded is refused") {
  House house(make());
  house.run();
  for (const char* dialect : {"sts", "requiretls", "exim", "nonsense"}) {
    const HttpReply reply = get(house, std::string("/v1/policy/a.test?dialect=") + dialect);
    CHECK(reply.status == 400);
    CHECK(reply.member("error").find("postfix-tlsrpt") != std::string::npos);
  }
}

TEST_CASE("whoever takes all places of TCP leaves those of unix sockets") {
  HttpLimits limits = policy_limits();
  limits.connections = 2;
  House house(make(limits));
  house.run();
  std::vector<SocketClient> strangers;
  for (int i = 0; i < 2; ++i) strangers.emplace_back(house.port());
  for (SocketClient& stranger : strangers) CHECK(stranger.send("GET "));
  SocketClient late(house.port());
  CHECK(late.until("x").empty());
  CHECK(get(house, "/v1/policy/a.test").status == 200);
}

TEST_CASE("nothing else is there, whatever the method") {
  House house(make());
  house.run();
  for (const char* target : {"/", "/v1/cache", "/v1/cache/a.test", "/v1/overrides", "/v1/status",
                             "/v1/query?key=a.test", "/v1/explain/a.test", "/v1/events",
                             "/v1/export", "/v1/policy", "/v1/policy/", "/v1/policy/a/b"}) {
    for (const char* method : {"GET", "POST", "DELETE", "PUT"}) {
      CAPTURE(target);
      CHECK(request(house.path(), method, target).status == 404);
    }
  }
  for (const char* method : {"POST", "DELETE", "PUT", "PATCH"}) {
    CHECK(request(house.path(), method, "/v1/policy/a.test").status == 405);
  }
  CHECK(request(house.path(), "POST", "/v1/policy/a.test", "body").status == 405);
  CHECK(request(house.path(), "GET", "/v1/policy/a.test", "body").status == 413);
  CHECK(house.asked() == 0);
}

TEST_CASE("a client on TCP that asks too often is told when to come back, on a unix socket not") {
  House house(make(policy_limits(), 1));
  house.run();
  // Whatever is asked counts, and so does what is no request.
  CHECK(over_tcp(house, "/v1/policy/a.test").status == 200);
  CHECK(over_tcp(house, "/v1/policy/a..test").status == 400);
  CHECK(over_tcp(house, "/v1/cache").status == 404);
  CHECK(over_tcp(house, " ").status == 400);
  CHECK(over_tcp(house, "/v1/policy/a.test").status == 200);
  const HttpReply reply = over_tcp(house, "/v1/policy/a.test");
  CHECK(reply.status == 429);
  CHECK(reply.head.starts_with("HTTP/1.1 429 Too Many Requests\r\n"));
  CHECK(reply.head.find("\r\nRetry-After: 1") != std::string::npos);
  CHECK(reply.member("error") == "too many requests");
  for (int i = 0; i < 20; ++i) CHECK(get(house, "/v1/policy/a.test").status == 200);

  // One connection is no way around it.
  SocketClient client(house.port());
  const std::string one = "GET /v1/policy/b.test HTTP/1.1\r\n\r\n";
  client.send(one + one + one);
  const std::string all = client.all();
  CHECK(all.starts_with("HTTP/1.1 429 "));
  CHECK(all.rfind("HTTP/1.1 ") == 0);
  CHECK(house.asked() == 1);
}

TEST_CASE("a client keeps no more than its share of connections, and none by dawdling") {
  HttpLimits limits = policy_limits();
  limits.of_client = 2;
  limits.head = milliseconds{300};
  House house(make(limits));
  house.run();
  SocketClient first(house.port());
  SocketClient second(house.port());
  first.send("GET /v1/policy/a.test HTTP/1.1\r\n");
  second.send("G");
  SocketClient third(house.port());
  CHECK(third.all().empty());
  CHECK(get(house, "/v1/policy/a.test").status == 200);
  // An octet now and then does not prolong it.
  const auto until = std::chrono::steady_clock::now() + seconds{10};
  while (first.send("X") && std::chrono::steady_clock::now() < until) ::usleep(20'000);
  CHECK(std::chrono::steady_clock::now() < until);
  CHECK(second.all().empty());
  CHECK(over_tcp(house, "/v1/policy/a.test").status == 200);
}

TEST_CASE("an answer that takes longer than a request may is waited for") {
  HttpLimits limits = policy_limits();
  limits.head = milliseconds{200};
  House house(make(limits));
  house.finder.hold = {"slow.test"};
  house.run();
  SocketClient client(house.port());
  client.send("GET /v1/policy/slow.test HTTP/1.1\r\nConnection: close\r\n\r\n");
  house.wait_for_held(1);
  ::usleep(500'000);
  house.release();
  CHECK(parse_reply(client.all()).status == 200);
}

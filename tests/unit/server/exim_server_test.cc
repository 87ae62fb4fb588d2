// SPDX-License-Identifier: Apache-2.0
#include "server/exim_server.h"

#include <doctest/doctest.h>

#include "piped_errors.h"
#include "server/front_house.h"

using namespace sealane;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

using House = FrontHouse<EximServer>;

House::Make make(EximLimits limits = {}) {
  return [limits](boost::asio::any_io_executor executor, AnswerCache& cache, const Clock& clock) {
    return std::make_unique<EximServer>(executor, cache, clock, limits);
  };
}

/// All that comes for one request.
std::string ask(House& house, const std::string& request) {
  SocketClient client = house.client();
  CHECK(client.send(request));
  return client.all();
}

constexpr std::string_view kNoRequest = "level=temp reason=\"a request is ";

}  // namespace

TEST_CASE("a request is a domain and what is known of the message") {
  const auto plain = parse_exim_request("exim example.com");
  REQUIRE(plain);
  CHECK(plain->domain == "example.com");
  CHECK(plain->flags == RequestFlags{});
  const auto both = parse_exim_request("  exim  a.test requiretls  tls-required=no\r");
  REQUIRE(both);
  CHECK(both->domain == "a.test");
  CHECK(both->flags == RequestFlags{true, true});
  for (const char* text :
       {"", " ", "exim", "exim ", "Exim a.test", "eximine a.test", "a.test", "exim a.test b.test",
        "exim a.test requiretls=no", "exim a.test tls-required=yes", "GET / HTTP/1.1"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_exim_request(text));
  }
}

TEST_CASE("one line is answered by one line, and the connection ends") {
  House house(make());
  house.finder.decisions["a.test"] = found(Action::dane_only, seconds{120});
  house.run();
  CHECK(ask(house, "exim a.test\n") == "level=dane ttl=120\n");
  CHECK(ask(house, "exim A.Test\n") == "level=dane ttl=120\n");
  CHECK(ask(house, "exim b.test\nexim a.test\n") == "level=none ttl=300\n");
  CHECK(house.asked() == 2);
  CHECK(house.counters().requests == 3);
  SocketClient tcp(house.port());
  REQUIRE(tcp.connected());
  CHECK(tcp.send("exim a.test\n"));
  CHECK(tcp.all() == "level=dane ttl=120\n");
  House::wait([&] { return house.connections() == 0; });
}

TEST_CASE("the end of what is sent ends a request as well") {
  House house(make());
  house.run();
  SocketClient client = house.client();
  CHECK(client.send("exim a.test"));
  client.finish_sending();
  CHECK(client.all() == "level=none ttl=300\n");
}

TEST_CASE("flags are part of the question") {
  House house(make());
  house.run();
  CHECK(ask(house, "exim a.test requiretls tls-required=no\n") == "level=none ttl=300\n");
  CHECK(ask(house, "exim a.test\n") == "level=none ttl=300\n");
  CHECK(house.asked() == 2);
  CHECK(house.finder.asked[0].flags == RequestFlags{true, true});
  CHECK(house.finder.asked[0].dialect == Dialect::exim);
}

TEST_CASE("a temporary answer has a reason and no life") {
  House house(make());
  house.finder.decisions["down.test"] = found(Action::temporary);
  house.run();
  CHECK(ask(house, "exim down.test\n") == "level=temp reason=\"down.test: resolver down\"\n");
}

TEST_CASE("what is no request gets an answer that defers") {
  House house(make());
  house.run();
  for (const std::string& text :
       {std::string("\n"), std::string("GET / HTTP/1.1\r\n\r\n"), std::string("7:a a.test,\n"),
        std::string("exim\n"), std::string("exim a.test level=none\n"),
        std::string("exim \0\n", 7) + "\n", "exim " + std::string(kMaxEximRequest, 'a') + "\n",
        std::string(50'000, 'x')}) {
    CAPTURE(text.substr(0, 20));
    const std::string answer = ask(house, text);
    const bool is_name = text.find('\0') != std::string::npos;  // one that is not valid
    if (!is_name) CHECK(answer.starts_with(kNoRequest));
    CHECK(answer.ends_with('\n'));
  }
  CHECK(house.asked() == 0);
  CHECK(house.counters().junk == 7);
}

TEST_CASE("the longest request is taken, one octet more is not") {
  House house(make());
  house.run();
  const std::string rest = " requiretls\n";
  const std::string longest = "exim " + std::string(kMaxEximRequest - 5 - rest.size() + 1, 'a');
  CHECK(ask(house, longest + rest) == "level=none ttl=300\n");
  CHECK(ask(house, longest + "a" + rest).starts_with(kNoRequest));
}

TEST_CASE("over TCP an answer to an endless request arrives whole") {
  House house(make());
  house.run();
  SocketClient client(house.port());
  REQUIRE(client.connected());
  client.send(std::string(60'000, 'x'));
  client.finish_sending();
  CHECK(client.all().starts_with(kNoRequest));
}

TEST_CASE("who connects and says nothing is told to come later, and let go") {
  House house(make({.connections = 8, .patience = milliseconds{80}}));
  house.run();
  SocketClient silent = house.client();
  SocketClient slow = house.client();
  CHECK(slow.send("exim a.te"));
  CHECK(silent.all() == "level=temp reason=\"no request came in time\"\n");
  CHECK(slow.all() == "level=temp reason=\"no request came in time\"\n");
  CHECK(house.counters().late == 2);
  House::wait([&] { return house.connections() == 0; });
}

TEST_CASE("a slow lookup is not the client's fault") {
  House house(make({.connections = 8, .patience = milliseconds{40}}));
  house.finder.hold.insert("slow.test");
  house.run();
  SocketClient client = house.client();
  CHECK(client.send("exim slow.test\n"));
  house.wait_for_held(1);
  std::this_thread::sleep_for(milliseconds{100});  // beyond its patience: nothing must happen
  house.release();
  CHECK(client.all() == "level=none ttl=300\n");
  CHECK(house.counters().late == 0);
}

TEST_CASE("too many connections are told to come later, and so is the operator, once") {
  House house(make({.connections = 2}));
  house.finder.hold.insert("slow.test");
  house.run();
  SocketClient one = house.client();
  SocketClient two = house.client();
  CHECK(one.send("exim slow.test\n"));
  CHECK(two.send("exim slow.test\n"));
  house.wait_for_held(1);
  House::wait([&] { return house.connections() == 2; });
  const PipedErrors errors;
  set_log_level(Severity::warning);
  for (int i = 0; i < 2; ++i) {
    CHECK(house.client().all() == "level=temp reason=\"too many connections to sealaned\"\n");
  }
  CHECK(house.counters().refused == 2);
  CHECK(errors.read() ==
        "level=warning event=connections_full server=exim connections=2 "
        "effect=\"a new one is told to come later\"\n");
  house.release();
  CHECK(one.all() == "level=none ttl=300\n");
  CHECK(two.all() == "level=none ttl=300\n");
}

TEST_CASE("at the end everybody gets an answer that defers") {
  House house(make());
  house.finder.hold.insert("slow.test");
  house.run();
  SocketClient waiting = house.client();
  CHECK(waiting.send("exim slow.test\n"));
  SocketClient silent = house.client();
  house.wait_for_held(1);
  House::wait([&] { return house.connections() == 2; });
  house.close();
  CHECK(waiting.all() == "level=temp reason=\"sealaned is shutting down\"\n");
  CHECK(silent.all() == "level=temp reason=\"sealaned is shutting down\"\n");
  house.stop();
}

TEST_CASE("a long answer is not cut off at the end, nor by a client that reads slowly") {
  House house(make());
  Decision decision = found(Action::sts);
  for (int i = 0; i < 3'000; ++i) {
    const std::string name = std::string(40, 'a') + std::to_string(i) + ".example";
    decision.patterns.push_back(MxPattern::parse(name).value());
  }
  house.finder.decisions["long.test"] = decision;
  house.run();
  SocketClient client(house.port());
  REQUIRE(client.connected());
  CHECK(client.send("exim long.test\n"));
  const std::string begun = client.until("ignore=");  // it is being sent
  house.close();
  const std::string answer = begun + client.all();
  CHECK(answer.size() > 150'000);
  CHECK(answer.ends_with(" : *\" ttl=300\n"));
  house.stop();
}

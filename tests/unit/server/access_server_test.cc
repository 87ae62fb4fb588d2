// SPDX-License-Identifier: Apache-2.0
#include "server/access_server.h"

#include <doctest/doctest.h>

#include "piped_errors.h"
#include "server/front_house.h"

using namespace sealane;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

using House = FrontHouse<AccessServer>;

AccessServer::Table rules(std::string_view text) {
  return std::make_shared<AccessTable>(parse_access_table(text, "file").value());
}

House::Make make(std::string_view text, AccessLimits limits = {}) {
  return [text = std::string(text), limits](boost::asio::any_io_executor executor,
                                            AnswerCache& cache, const Clock&) {
    return std::make_unique<AccessServer>(executor, cache, rules(text), limits);
  };
}

std::string request(const std::string& recipient, const std::string& more = "") {
  return "request=smtpd_access_policy\nprotocol_state=RCPT\nsender=s@a.test\nrecipient=" +
         recipient + "\n" + more + "\n";
}

/// Everything up to the empty line.
std::string reply(SocketClient& client) { return client.until("\n\n"); }

constexpr std::string_view kRequire = "sender=a.test require reason=x\n";

}  // namespace

TEST_CASE("without a rule everybody is answered DUNNO, and nobody is looked up") {
  House house(make("sender=b.test require reason=x\n"));
  house.run();
  SocketClient client = house.client();
  CHECK(client.send(request("r@none.test")));
  CHECK(reply(client) == "action=DUNNO\n\n");
  CHECK(house.asked() == 0);
  CHECK(house.counters().requests == 1);
}

TEST_CASE("a rule makes the sender learn at once, and the connection is kept") {
  House house(make(kRequire));
  house.finder.decisions["dane.test"] = found(Action::dane_only);
  house.finder.decisions["down.test"] = found(Action::temporary);
  house.run();
  SocketClient client = house.client();
  CHECK(client.send(request("r@Dane.Test")));
  CHECK(reply(client) == "action=DUNNO\n\n");
  CHECK(client.send(request("r@none.test")));
  CHECK(reply(client).starts_with("action=REJECT 5.7.10 none.test "));
  CHECK(client.send(request("r@down.test")));
  CHECK(reply(client).starts_with("action=DEFER_IF_PERMIT 4.7.5 "));
  CHECK(client.send(request("postmaster")));
  CHECK(reply(client) == "action=DUNNO\n\n");
  CHECK(
      client.send("request=smtpd_access_policy\nprotocol_state=DATA\nrecipient=r@none.test\n"
                  "sender=s@a.test\n\n"));
  CHECK(reply(client) == "action=DUNNO\n\n");
  CHECK(house.asked() == 3);
  const auto whom = house.on_lookup([&] { return house.finder.asked[0].whom; });
  CHECK(whom == AskedFor::before_mail);
  const AccessCounters counters = house.counters();
  CHECK(counters.accepted == 1);
  CHECK(counters.requests == 5);
  CHECK(counters.rejected == 1);
  CHECK(counters.deferred == 1);
}

TEST_CASE("a policy of which no name can be said to Postfix is not known, not fulfilled") {
  House house(make("sender=a.test require record reason=x\n"));
  Decision mute = found(Action::sts);
  mute.patterns = {*MxPattern::parse("hostname")};
  house.finder.decisions["mute.test"] = mute;
  house.run();
  SocketClient client = house.client();
  CHECK(client.send(request("r@mute.test")));
  const std::string answer = reply(client);
  CHECK(answer.starts_with("action=DEFER_IF_PERMIT 4.7.5 "));
  CHECK(answer.find("no name of the MTA-STS policy") != std::string::npos);
}

TEST_CASE("a demand cannot be evaded by a routed address") {
  House house(make(kRequire));
  house.run();
  SocketClient client = house.client();
  for (const char* recipient :
       {"b.test!u", "u%b.test", "u%b.test@example.net", "u@b.test@example.net"}) {
    CAPTURE(recipient);
    CHECK(client.send(request(recipient)));
    CHECK(reply(client).starts_with("action=REJECT 5.7.10 write a plain address"));
  }
  CHECK(house.asked() == 0);
  CHECK(house.counters().rejected == 4);
}

TEST_CASE("a routed address is nothing to us where nothing is demanded, or while observing") {
  const AccessServer::Table none = rules("sender=b.test require reason=x\nany record reason=x\n");
  for (const bool observes : {false, true}) {
    CAPTURE(observes);
    House house([&](boost::asio::any_io_executor executor, AnswerCache& cache, const Clock&) {
      const AccessServer::Table table = observes ? rules(kRequire) : none;
      return std::make_unique<AccessServer>(executor, cache, table, AccessLimits{}, observes);
    });
    house.run();
    SocketClient client = house.client();
    CHECK(client.send(request("b.test!u")));
    CHECK(reply(client) == "action=DUNNO\n\n");
  }
}

TEST_CASE("requests that come at once are answered in their order") {
  House house(make(kRequire));
  house.finder.decisions["dane.test"] = found(Action::dane_only);
  house.run();
  SocketClient client = house.client();
  CHECK(client.send(request("r@none.test") + request("r@dane.test")));
  CHECK(reply(client).starts_with("action=REJECT "));
  CHECK(reply(client) == "action=DUNNO\n\n");
}

TEST_CASE("a recipient that takes long delays nobody on another connection") {
  House house(make(kRequire));
  house.finder.hold.insert("slow.test");
  house.finder.decisions["dane.test"] = found(Action::dane_only);
  house.run();
  SocketClient slow = house.client();
  SocketClient fast = house.client();
  CHECK(slow.send(request("r@slow.test")));
  house.wait_for_held(1);
  CHECK(fast.send(request("r@dane.test")));
  CHECK(reply(fast) == "action=DUNNO\n\n");
  house.release();
  CHECK(reply(slow).starts_with("action=REJECT 5.7.10 slow.test "));
}

TEST_CASE("the rules can be replaced while connections are open") {
  House house(make(kRequire));
  house.run();
  SocketClient client = house.client();
  CHECK(client.send(request("r@none.test")));
  CHECK(reply(client).starts_with("action=REJECT "));
  house.on_serving([&] {
    house.server().replace(rules("any pass reason=x\n"));
    return true;
  });
  CHECK(client.send(request("r@none.test")));
  CHECK(reply(client) == "action=DUNNO\n\n");
}

TEST_CASE("what is not the protocol ends the connection without an answer") {
  House house(make(kRequire));
  house.run();
  for (const std::string& text :
       {std::string("\n"), std::string("GET / HTTP/1.1\r\n\n\n"), std::string("request=other\n\n"),
        std::string(kMaxAccessRequest + 4096, 'x'),
        "request=smtpd_access_policy\nx=" + std::string(kMaxAccessRequest, 'x') + "\n\n"}) {
    CAPTURE(text.substr(0, 20));
    SocketClient client = house.client();
    client.send(text);
    CHECK(client.all().empty());
  }
  CHECK(house.counters().junk == 5);
  CHECK(house.asked() == 0);
}

TEST_CASE("a connection on which nothing moves is closed") {
  House house(make(kRequire, {.idle = milliseconds{80}}));
  house.run();
  SocketClient client = house.client();
  CHECK(client.all().empty());
  CHECK(house.counters().idle >= 1);
}

TEST_CASE("who holds every connection and says nothing does not lock the mail server out") {
  House house(make(kRequire, {.connections = 3}));
  house.finder.decisions["dane.test"] = found(Action::dane_only);
  house.run();
  const PipedErrors errors;
  set_log_level(Severity::warning);
  std::vector<SocketClient> idle;
  for (std::size_t i = 0; i < 3; ++i) {
    idle.push_back(house.client());
    House::wait([&] { return house.connections() == i + 1; });
  }
  CHECK(idle[0].send(request("r@dane.test")));
  CHECK(reply(idle[0]) == "action=DUNNO\n\n");

  SocketClient newcomer = house.client();
  CHECK(newcomer.send(request("r@none.test")));
  CHECK(reply(newcomer).starts_with("action=REJECT "));
  CHECK(idle[1].all().empty());
  CHECK(idle[0].send(request("r@dane.test")));
  CHECK(reply(idle[0]) == "action=DUNNO\n\n");
  CHECK(house.connections() == 3);
  CHECK(house.counters().idle == 1);
  CHECK(house.counters().refused == 0);
  CHECK(errors.read() ==
        "level=warning event=connections_full server=access connections=3 "
        "effect=\"the longest idle one is closed for a new one\"\n");
}

TEST_CASE("where all wait for a lookup, the one that has waited longest makes room") {
  House house(make(kRequire, {.connections = 2}));
  house.finder.hold.insert("slow.test");
  house.finder.decisions["dane.test"] = found(Action::dane_only);
  house.run();
  std::vector<SocketClient> waiting;
  for (std::size_t i = 0; i < 2; ++i) {
    waiting.push_back(house.client());
    CHECK(waiting.back().send(request("r@slow.test")));
    House::wait([&] { return house.counters().asked == i + 1; });
  }
  house.wait_for_held(1);

  SocketClient newcomer = house.client();
  CHECK(newcomer.send(request("r@dane.test")));
  CHECK(reply(newcomer) == "action=DUNNO\n\n");
  CHECK(waiting[0].all().empty());
  CHECK(house.connections() == 2);
  CHECK(house.counters().refused == 1);
  house.release();
  CHECK(reply(waiting[1]).starts_with("action=REJECT 5.7.10 slow.test "));
}

TEST_CASE("at the end a request under way gets no answer, so that Postfix asks again") {
  House house(make(kRequire));
  house.finder.hold.insert("slow.test");
  house.run();
  SocketClient client = house.client();
  CHECK(client.send(request("r@slow.test")));
  house.wait_for_held(1);
  house.close();
  CHECK(client.all().empty());
  house.stop();
}

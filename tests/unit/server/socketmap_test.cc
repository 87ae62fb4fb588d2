// SPDX-License-Identifier: Apache-2.0
// The socketmap server over real sockets, in a directory of its own, with a finder that the test
// holds up and lets go.
#include "server/socketmap.h"

#include <sys/resource.h>
#include <unistd.h>

#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "fakes.h"
#include "piped_errors.h"
#include "server/socket_client.h"
#include "server/socketmap_house.h"

using namespace sealane;
using namespace std::chrono_literals;

namespace {

std::string netstring(std::string_view payload) {
  std::string out;
  append_netstring(out, payload);
  return out;
}

/// Raises or lowers the number of descriptors; back at the end.
class Descriptors {
 public:
  explicit Descriptors(rlim_t wanted) {
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before_) == 0);
    rlimit changed = before_;
    changed.rlim_cur = wanted;
    REQUIRE_MESSAGE(::setrlimit(RLIMIT_NOFILE, &changed) == 0, "needs more descriptors");
  }
  Descriptors(const Descriptors&) = delete;
  Descriptors& operator=(const Descriptors&) = delete;
  ~Descriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

}  // namespace

TEST_CASE("a question is answered over a unix socket and over TCP, in its dialect") {
  SocketmapHouse house;
  SocketClient client = house.client();
  client.ask("postfix a.test");
  CHECK(client.reply() == "OK postfix a.test");
  client.ask("postfix-tlsrpt a.test");
  CHECK(client.reply() == "OK postfix-tlsrpt a.test");

  SocketClient tcp(house.port());
  REQUIRE(tcp.connected());
  tcp.ask("QUERY a.test");
  CHECK(tcp.reply() == "OK postfix a.test");
  CHECK(house.asked("a.test") == 2);
}

TEST_CASE("a request is answered wherever the network splits it") {
  SocketmapHouse house;
  SocketClient client = house.client();
  const std::string request = netstring("postfix a.test");
  for (std::size_t part = 1; part < request.size(); ++part) {
    client.send(request.substr(0, part));
    client.wait_until_read();
    client.send(request.substr(part));
    CHECK(client.reply() == "OK postfix a.test");
  }
}

TEST_CASE("pipelined requests are answered in their order, slow ones too") {
  SocketmapHouse house;
  house.hold("slow.test");
  SocketClient client = house.client();
  client.send(netstring("postfix a.test") + netstring("postfix slow.test") +
              netstring("nonsense x") + netstring("postfix b.test") + netstring("postfix a.test"));
  CHECK(client.reply() == "OK postfix a.test");  // not held up by what comes after it
  house.wait_for_held(1);
  house.release();
  CHECK(client.reply() == "OK postfix slow.test");
  CHECK(client.reply().starts_with("PERM unknown map name \"nonsense\""));
  CHECK(client.reply() == "OK postfix b.test");
  CHECK(client.reply() == "OK postfix a.test");
}

TEST_CASE("only the first blank parts map and key") {
  SocketmapHouse house;
  SocketClient client = house.client();
  client.ask("postfix a b.test");
  CHECK(client.reply().starts_with("OK postfix a b.test"));
}

TEST_CASE("an unknown map is refused with the list of those there are") {
  SocketmapHouse house;
  SocketClient client = house.client();
  client.ask("Postfix a.test");
  const std::string reply = client.reply();
  CHECK(reply.starts_with("PERM unknown map name \"Postfix\"; there are "));
  CHECK(reply.find("postfix-tlsrpt") != std::string::npos);
  client.ask("\x1b[2J a.test");
  CHECK(client.reply().starts_with("PERM unknown map name \"\\x1b[2J\""));
  client.ask("noblank");
  CHECK(client.reply().starts_with("PERM a request is"));
  client.ask("");
  CHECK(client.reply().starts_with("PERM a request is"));
  client.ask("postfix a.test");
  CHECK(client.reply() == "OK postfix a.test");
  CHECK(house.counters().unknown_maps == 2);
}

TEST_CASE("what is no netstring closes the connection, after the answers before it") {
  SocketmapHouse house;
  for (const char* junk : {"GET / HTTP/1.1\r\n\r\n", "014:postfix a.test,", "14:postfix a.test\n",
                           "10241:", "999999999", "\n", "-1:,"}) {
    CAPTURE(junk);
    SocketClient client = house.client();
    client.send(netstring("postfix a.test") + junk);
    CHECK(client.reply() == "OK postfix a.test");
    CHECK(client.reply() == "<end>");
  }
  CHECK(house.counters().junk == 7);
}

TEST_CASE("keys that are not ASCII are questions, not junk") {
  SocketmapHouse house;
  SocketClient client = house.client();
  client.ask(
      "postfix b\xc3\xbc"
      "cher.test");
  CHECK(client.reply() == "OK postfix xn--bcher-kva.test");
  client.ask("postfix a\xff\xfe.test");
  CHECK(client.reply().starts_with("TEMP "));
  client.ask(std::string("postfix \0x", 10));
  CHECK(client.reply().starts_with("OK "));
  client.ask("postfix ");
  CHECK(client.reply().starts_with("OK "));
  CHECK(house.counters().junk == 0);
}

TEST_CASE("a request at the limit is answered and one past it closes the connection") {
  SocketmapHouse house;
  SocketClient client = house.client();
  const std::string map = "postfix ";
  client.ask(map + std::string(kMaxRequest - map.size(), 'a'));
  CHECK(client.reply().starts_with("OK postfix aaa"));
  client.ask("postfix a.test");
  CHECK(client.reply() == "OK postfix a.test");
  client.ask(map + std::string(kMaxRequest - map.size() + 1, 'a'));
  CHECK(client.reply() == "<end>");
}

TEST_CASE("2,000 connections are served at a time") {
  const Descriptors enough(8192);
  SocketmapHouse house;
  std::vector<SocketClient> clients;
  for (int i = 0; i < 2000; ++i) clients.push_back(house.client());
  for (SocketClient& client : clients) REQUIRE(client.ask("postfix a.test"));
  for (SocketClient& client : clients) REQUIRE(client.reply() == "OK postfix a.test");
  CHECK(house.connections() == 2000);
  CHECK(house.asked("a.test") == 1);
  house.close();
  for (SocketClient& client : clients) REQUIRE(client.reply() == "<end>");
}

TEST_CASE("beyond the limit an idle connection makes room, before any that waits") {
  SocketmapLimits limits;
  limits.connections = 2;
  SocketmapHouse house(limits);
  house.hold("slow.test");
  SocketClient waiting = house.client();
  waiting.ask("postfix slow.test");
  house.wait_for_held(1);
  SocketClient idle = house.client();
  SocketmapHouse::wait([&] { return house.connections() == 2; });

  SocketClient third = house.client();
  CHECK(idle.reply() == "<end>");
  third.ask("postfix a.test");
  CHECK(third.reply() == "OK postfix a.test");
  CHECK(house.counters().refused == 0);

  house.release();
  CHECK(waiting.reply() == "OK postfix slow.test");
}

TEST_CASE("where all wait, the one that has waited longest makes room, and its lookup goes on") {
  SocketmapLimits limits;
  limits.connections = 3;
  SocketmapHouse house(limits);
  house.hold("slow.test");
  const PipedErrors errors;
  set_log_level(Severity::warning);
  std::vector<SocketClient> waiting;
  for (std::size_t i = 0; i < limits.connections; ++i) {
    waiting.push_back(house.client());
    waiting.back().ask("postfix slow.test");
    SocketmapHouse::wait([&] { return house.counters().requests == i + 1; });
  }
  house.wait_for_held(1);

  SocketClient newcomer = house.client();
  newcomer.ask("postfix a.test");
  CHECK(newcomer.reply() == "OK postfix a.test");
  CHECK(waiting[0].reply() == "<end>");
  CHECK(house.connections() == 3);
  CHECK(house.counters().refused == 1);
  CHECK(house.counters().idle == 0);
  CHECK(errors.read() ==
        "level=warning event=connections_full server=socketmap connections=3 effect=\"all wait for "
        "an answer: the one that has waited longest is closed for a new one\"\n");

  house.release();
  CHECK(waiting[1].reply() == "OK postfix slow.test");
  CHECK(waiting[2].reply() == "OK postfix slow.test");
  CHECK(house.asked("slow.test") == 1);
  newcomer.ask("postfix slow.test");
  CHECK(newcomer.reply() == "OK postfix slow.test");
  CHECK(house.asked("slow.test") == 1);
}

TEST_CASE("of idle connections the one goes on which nothing has moved longest") {
  SocketmapLimits limits;
  limits.connections = 3;
  SocketmapHouse house(limits);
  std::vector<SocketClient> clients;
  for (std::size_t i = 0; i < limits.connections; ++i) {
    clients.push_back(house.client());
    SocketmapHouse::wait([&] { return house.connections() == i + 1; });
  }
  clients[0].ask("postfix a.test");
  CHECK(clients[0].reply() == "OK postfix a.test");
  SocketClient newcomer = house.client();
  CHECK(clients[1].reply() == "<end>");
  for (SocketClient* client : {&clients[0], &clients[2], &newcomer}) {
    client->ask("postfix a.test");
    CHECK(client->reply() == "OK postfix a.test");
  }
  CHECK(house.counters().idle == 1);
}

TEST_CASE("a client that has finished sending still gets its answer") {
  SocketmapHouse house;
  house.hold("slow.test");
  SocketClient client = house.client();
  client.ask("postfix slow.test");
  client.finish_sending();
  house.wait_for_held(1);
  house.release();
  CHECK(client.reply() == "OK postfix slow.test");
  CHECK(client.reply() == "<end>");
  SocketmapHouse::wait([&] { return house.connections() == 0; });
}

TEST_CASE("a client that leaves does not cancel a lookup that others wait for") {
  SocketmapHouse house;
  house.hold("slow.test");
  std::optional<SocketClient> leaver(house.client());
  SocketClient stayer = house.client();
  leaver->ask("postfix slow.test");
  house.wait_for_held(1);
  stayer.ask("postfix slow.test");
  SocketmapHouse::wait([&] { return house.counters().requests == 2; });
  leaver.reset();
  house.release();
  CHECK(stayer.reply() == "OK postfix slow.test");
  SocketmapHouse::wait([&] { return house.connections() == 1; });
  CHECK(house.asked("slow.test") == 1);
}

TEST_CASE("a client that does not read is not read from, and loses nothing") {
  SocketmapHouse house;
  SocketClient client = house.client();
  client.ask("postfix big.test");
  CHECK(client.reply().size() == 20'000);
  constexpr std::uint64_t kRequests = 3000;  // 60 MB of answers
  std::thread sender([&client] {
    for (std::uint64_t i = 0; i < kRequests; ++i) client.ask("postfix big.test");
  });
  // The server stalls: two looks, some time apart, see the same count.
  std::uint64_t before = 0;
  SocketmapHouse::wait([&] {
    std::this_thread::sleep_for(50ms);
    const std::uint64_t now = house.counters().requests;
    return now > 1 && now == std::exchange(before, now);
  });
  CHECK(before < 200);
  bool complete = true;
  for (std::uint64_t i = 0; i < kRequests; ++i) complete &= client.reply().size() == 20'000;
  CHECK(complete);
  sender.join();
}

TEST_CASE("a connection on which nothing moves is closed, one that waits for a lookup is not") {
  SocketmapLimits limits;
  limits.idle = 80ms;
  SocketmapHouse house(limits);
  house.hold("slow.test");
  SocketClient waiting = house.client();
  waiting.ask("postfix slow.test");
  house.wait_for_held(1);
  SocketClient idle = house.client();
  CHECK(idle.reply() == "<end>");
  CHECK(house.counters().idle == 1);
  house.release();
  CHECK(waiting.reply() == "OK postfix slow.test");
  CHECK(waiting.reply() == "<end>");
}

TEST_CASE("a client that never reads its answers is closed as idle") {
  SocketmapLimits limits;
  limits.idle = 80ms;
  SocketmapHouse house(limits);
  SocketClient client = house.client();
  std::string requests;
  for (int i = 0; i < 200; ++i) requests += netstring("postfix big.test");
  client.send(requests);
  SocketmapHouse::wait([&] { return house.counters().idle == 1; });
  SocketmapHouse::wait([&] { return house.connections() == 0; });
}

TEST_CASE("at the end, who waits for a lookup gets no reply, and the socket is gone") {
  SocketmapHouse house;
  house.hold("slow.test");
  SocketClient waiting = house.client();
  SocketClient idle = house.client();
  idle.ask("postfix a.test");
  CHECK(idle.reply() == "OK postfix a.test");
  waiting.ask("postfix slow.test");
  house.wait_for_held(1);
  house.close();
  CHECK(waiting.all().empty());
  CHECK(idle.all().empty());
  CHECK_FALSE(std::filesystem::exists(house.path()));
  CHECK_FALSE(SocketClient(house.path()).connected());
  CHECK_FALSE(SocketClient(house.port()).connected());
  house.stop();  // hangs if anything is left over
  CHECK(house.server().connections() == 0);
}

TEST_CASE("at the end, a request that has arrived and is known is answered") {
  SocketmapHouse house;
  SocketClient client = house.client();
  client.ask("postfix a.test");
  CHECK(client.reply() == "OK postfix a.test");
  house.on_serving([&] {
    const bool sent = client.ask("postfix a.test");  // arrives while nobody reads
    house.server().close();
    return sent;
  });
  CHECK(client.reply() == "OK postfix a.test");
  CHECK(client.reply() == "<end>");
}

TEST_CASE("running out of descriptors neither spins nor stops the service") {
  SocketmapHouse house;
  SocketClient early = SocketClient::unconnected();
  {
    // The lowest free number is the next descriptor: no more than what is open now.
    const int probe = ::dup(STDERR_FILENO);
    ::close(probe);
    const Descriptors none(static_cast<rlim_t>(probe));
    early.connect(house.path());
    REQUIRE(early.connected());
    early.ask("postfix a.test");
    std::this_thread::sleep_for(350ms);  // room for three or four attempts of either listener
    CHECK(house.counters().accepted == 0);
    CHECK(house.on_serving([&] { return house.server().accept_errors(); }) >= 1);
    CHECK(house.on_serving([&] { return house.server().accept_errors(); }) <= 10);
  }
  CHECK(early.reply() == "OK postfix a.test");
}

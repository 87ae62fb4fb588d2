// SPDX-License-Identifier: Apache-2.0
// Answers that do not fit into a packet, from a resolver that is slow, silent or closed over TCP.
#include <sys/socket.h>

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <optional>

#include "adapters/dns/tcp_queries.h"
#include "base/descriptor.h"
#include "live_fixture.h"

using namespace sealane;
using namespace std::chrono_literals;

namespace {

using boost::asio::ip::tcp;

/// Where the meddler listens, but over TCP: takes connections, and passes on the replies unless
/// told to be silent, to end in the middle, or to change them.
class TcpMeddler {
 public:
  TcpMeddler(boost::asio::io_context& io, const NameServer& at)
      : acceptor_(io, tcp::endpoint(at.address, at.port)) {
    boost::asio::co_spawn(io, serve(), boost::asio::detached);
  }
  void stop() {
    acceptor_.close();
    for (const auto& client : clients_) client->close();
  }

  bool answers = true;
  bool ends = false;  ///< in the middle of the reply
  std::function<void(std::string& reply)> changes = [](std::string&) {};
  std::size_t connections() const { return clients_.size(); }

 private:
  static Task<std::string> read(tcp::socket& from, boost::system::error_code& error) {
    std::array<unsigned char, 2> length{};
    co_await boost::asio::async_read(
        from, boost::asio::buffer(length),
        boost::asio::redirect_error(boost::asio::use_awaitable, error));
    if (error) co_return std::string();
    std::string message(std::size_t{length[0]} << 8 | length[1], '\0');
    co_await boost::asio::async_read(
        from, boost::asio::buffer(message),
        boost::asio::redirect_error(boost::asio::use_awaitable, error));
    co_return message;
  }
  static Task<> write(tcp::socket& to, const std::string& message, std::size_t octets,
                      boost::system::error_code& error) {
    std::string framed{static_cast<char>(message.size() >> 8),
                       static_cast<char>(message.size() & 255)};
    framed += message.substr(0, octets);
    co_await boost::asio::async_write(
        to, boost::asio::buffer(framed),
        boost::asio::redirect_error(boost::asio::use_awaitable, error));
  }

  Task<> serve() {
    boost::system::error_code error;
    for (;;) {
      auto client = std::make_shared<tcp::socket>(acceptor_.get_executor());
      co_await acceptor_.async_accept(
          *client, boost::asio::redirect_error(boost::asio::use_awaitable, error));
      if (error) co_return;
      clients_.push_back(client);
      boost::asio::co_spawn(acceptor_.get_executor(), relay(client), boost::asio::detached);
    }
  }
  Task<> relay(std::shared_ptr<tcp::socket> client) {
    boost::system::error_code error;
    const std::string query = co_await read(*client, error);
    if (error || !answers) co_return;  // it stays open
    tcp::socket out(acceptor_.get_executor());
    out.connect(tcp::endpoint(kValidating.address, kValidating.port));
    co_await write(out, query, query.size(), error);
    std::string reply = co_await read(out, error);
    changes(reply);
    co_await write(*client, reply, ends ? reply.size() / 2 : reply.size(), error);
    if (ends) client->close(error);
  }

  tcp::acceptor acceptor_;
  std::vector<std::shared_ptr<tcp::socket>> clients_;
};

/// A resolver all of whose answers are too big for a packet.
struct TruncatingWorld : World {
  TruncatingWorld() {
    meddler.emplace(io, "127.0.0.1");
    meddler->changes = [](std::string& reply) { reply[2] = static_cast<char>(reply[2] | 0x02); };
    start({meddler->server()});
  }
  ~TruncatingWorld() {
    if (!runs_dry) return;
    meddler->stop();
    if (over_tcp) over_tcp->stop();
    resolver->close();
    io.restart();
    io.run();
  }
  TcpMeddler& listen() { return over_tcp.emplace(io, meddler->server()); }

  bool runs_dry = true;  ///< at the end
  std::optional<Meddler> meddler;
  std::optional<TcpMeddler> over_tcp;
};

/// What a front end's connection is: a descriptor with the lowest free number.
struct Bystander {
  Bystander() {
    std::array<int, 2> pair{};
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair.data()) == 0);
    ends = {Descriptor(pair[0]), Descriptor(pair[1])};
  }
  /// Both ends are open and nobody has written into them.
  bool untouched() const {
    char octet = 0;
    for (const Descriptor& end : ends) {
      if (recv(end.get(), &octet, 1, 0) >= 0 || errno != EAGAIN) return false;
    }
    return true;
  }
  std::array<Descriptor, 2> ends;
};

}  // namespace

TEST_CASE("a query by TCP that is given up touches nobody else's descriptor") {
  std::vector<DnsReply> replies;  // outlives the world
  TruncatingWorld world;
  TcpMeddler& tcp = world.listen();
  tcp.answers = false;
  std::vector<Bystander> bystanders(1);
  for (const char* name : {"good.test", "mx.plain.test", "www.plain.test"}) {
    world.ask_later(name, RrType::a, replies);
    world.io.run_for(50ms);
  }
  for (int turn = 0; replies.size() < 3 && turn < 200; ++turn) {
    bystanders.emplace_back();
    world.io.run_for(20ms);
  }
  CHECK(replies.size() == 3);
  for (const DnsReply& reply : replies) CHECK(reply.failed());
  CHECK(tcp.connections() >= 9);
  tcp.answers = true;
  CHECK(summary(world.ask("null.test", RrType::mx)) == "ok secure");
  world.resolver->close();
  world.io.restart();
  world.io.poll();
  for (const Bystander& bystander : bystanders) CHECK(bystander.untouched());
}

TEST_CASE("a query by TCP that gets no answer does not hold up another") {
  std::vector<DnsReply> stuck;  // outlives the world
  TruncatingWorld world;
  TcpMeddler& tcp = world.listen();
  tcp.answers = false;
  world.ask_later("good.test", RrType::a, stuck);
  world.io.run_for(100ms);
  REQUIRE(tcp.connections() == 1);
  tcp.answers = true;
  CHECK(summary(world.ask("null.test", RrType::mx)) == "ok secure");
  CHECK(stuck.empty());
}

TEST_CASE("a next-hop whose names hang has few connections, and leaves some for others") {
  std::vector<DnsReply> stuck;  // outlives the world
  TruncatingWorld world;
  TcpMeddler& tcp = world.listen();
  tcp.answers = false;
  for (int i = 0; i < 20; ++i) {
    world.ask_later("n" + std::to_string(i) + ".wild.test", RrType::a, stuck, "greedy.test");
  }
  world.io.run_for(100ms);
  CHECK(tcp.connections() == kMaxTcpQueriesPerKey);
  tcp.answers = true;
  CHECK(summary(world.ask("null.test", RrType::mx, "other.test")) == "ok secure");
  CHECK(stuck.empty());
}

TEST_CASE("there is an end to the connections, and then they come in turn") {
  std::vector<DnsReply> replies;  // outlives the world
  TruncatingWorld world;
  TcpMeddler& tcp = world.listen();
  tcp.answers = false;
  for (int i = 0; i < 8; ++i) {
    world.ask_later("n" + std::to_string(i) + ".wild.test", RrType::a, replies, std::to_string(i));
  }
  world.io.run_for(100ms);
  CHECK(tcp.connections() == kMaxTcpQueries);
  tcp.answers = true;
  while (replies.size() < 8) world.io.run_one();
  for (const DnsReply& reply : replies) CHECK(summary(reply) == "ok secure");
}

TEST_CASE("a whole answer is needed, of this query") {
  TruncatingWorld world;
  SUBCASE("nobody listens on TCP") {}
  SUBCASE("the connection ends in the middle") { world.listen().ends = true; }
  SUBCASE("another query's") {
    world.listen().changes = [](std::string& reply) { reply[0] = static_cast<char>(~reply[0]); };
  }
  SUBCASE("truncated again") {
    world.listen().changes = [](std::string& reply) {
      reply[2] = static_cast<char>(reply[2] | 0x02);
    };
  }
  const DnsReply reply = world.ask("good.test", RrType::a);
  CHECK(reply.failed());
}

TEST_CASE("closing ends a query by TCP at once") {
  std::vector<DnsReply> replies;  // outlives the world
  TruncatingWorld world;
  world.listen().answers = false;
  world.ask_later("good.test", RrType::a, replies);
  world.io.run_for(100ms);
  REQUIRE(world.over_tcp->connections() == 1);
  const auto closed = std::chrono::steady_clock::now();
  world.resolver->close();
  while (replies.empty()) world.io.run_one();
  CHECK(summary(replies[0]) == "own fault: shutting down");
  CHECK(std::chrono::steady_clock::now() - closed < 100ms);
}

TEST_CASE("a resolver destroyed with a query by TCP under way leaves nothing behind") {
  std::vector<DnsReply> replies;
  {
    TruncatingWorld world;
    world.listen().answers = false;
    world.ask_later("good.test", RrType::a, replies);
    world.io.run_for(100ms);
    REQUIRE(world.over_tcp->connections() == 1);
    world.runs_dry = false;
    world.resolver.reset();
  }
  CHECK(replies.empty());
}

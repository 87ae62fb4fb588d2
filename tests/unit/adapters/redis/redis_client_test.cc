// SPDX-License-Identifier: Apache-2.0
#include "adapters/redis/redis_client.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/write.hpp>

#include "base/log.h"
#include "redis_server.h"

namespace sealane {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using std::chrono::milliseconds;

TEST_CASE("commands are answered in order, over a unix socket and over TCP") {
  const RedisServer server;
  asio::io_context io;
  for (const RedisOptions& options : {server.by_socket(), server.by_port()}) {
    Talker talker(io, options);
    REQUIRE(talker.connects());
    const std::string octets("a\0\r\n\xff", 5);
    CHECK(talker.ask({"SET", "k", octets}) == "OK");
    CHECK(talker.ask({"GET", "k"}) == octets);
    CHECK(talker.ask({"GET", "absent"}) == "nil");
    CHECK(talker.ask({"DEL", "k"}) == "1");
    CHECK(talker.ask({"NONSENSE"}).starts_with("ERR unknown command"));
    std::vector<std::string> arrived;
    for (int i = 0; i < 300; ++i) {
      RedisCommand echo{"ECHO", std::to_string(i)};
      asio::co_spawn(io, talker.client->ask(std::move(echo), milliseconds{5000}),
                     [&arrived](std::exception_ptr, std::optional<RedisReply> reply) {
                       arrived.push_back(reply ? reply->text : "-");
                     });
    }
    REQUIRE(until(io, [&] { return arrived.size() == 300; }));
    for (int i = 0; i < 300; ++i) CHECK(arrived[static_cast<std::size_t>(i)] == std::to_string(i));
  }
}

TEST_CASE("a user with a password gets in, and its database is its own") {
  const RedisServer server(
      {"--requirepass", "s3cret", "--user", "mta", "on", ">pa ss", "~*", "+@all"});
  asio::io_context io;
  RedisOptions options = server.by_socket();
  options.password = "s3cret";
  Talker first(io, options);
  REQUIRE(first.connects());
  CHECK(first.ask({"SET", "k", "0"}) == "OK");
  options.user = "mta";
  options.password = "pa ss";
  options.database = 3;
  Talker second(io, options);
  REQUIRE(second.connects());
  CHECK(second.ask({"ACL", "WHOAMI"}) == "mta");
  CHECK(second.ask({"GET", "k"}) == "nil");
}

TEST_CASE("what the server says to a wrong login is told once, and the password never") {
  const RedisServer server({"--requirepass", "s3cret"});
  asio::io_context io;
  const LogCapture logged;
  {
    RedisOptions options = server.by_socket();
    options.password = "not-this-one";
    Talker talker(io, options);
    REQUIRE(until(io, [&] { return logged.count("WRONGPASS") > 0; }));
    until(
        io, [] { return false; }, std::chrono::seconds{4});  // it has tried twice more by now
    CHECK_FALSE(talker.client->connected());
    CHECK(talker.ask({"PING"}) == "-");
  }
  CHECK(logged.count("shared_store_away") == 1);
  {
    Talker talker(io, server.by_socket());
    REQUIRE(until(io, [&] { return logged.count("NOAUTH") > 0; }));
  }
  {
    RedisOptions options = server.by_socket();
    options.password = "s3cret";
    options.database = 9999;
    Talker talker(io, options);
    REQUIRE(until(io, [&] { return logged.count("SELECT refused") > 0; }));
  }
  CHECK(logged.count("not-this-one") == 0);
  CHECK(logged.count("s3cret") == 0);
}

TEST_CASE("it comes back by itself when the server does") {
  RedisServer server;
  asio::io_context io;
  const LogCapture logged;
  Talker talker(io, server.by_socket());
  REQUIRE(talker.connects());
  server.kill();
  REQUIRE(until(io, [&] { return !talker.client->connected(); }));
  CHECK(talker.ask({"PING"}) == "-");
  server.start();
  REQUIRE(talker.connects());
  CHECK(talker.connections == 2);
  CHECK(talker.ask({"PING"}) == "PONG");
  CHECK(logged.count("shared_store_away") >= 1);
  CHECK(logged.count("shared_store_ready") == 2);
}

TEST_CASE("a server that hangs is waited for once, and left when it hangs on") {
  RedisServer server;
  asio::io_context io;
  Talker talker(io, server.by_socket());
  REQUIRE(talker.connects());
  server.signal(SIGSTOP);
  const auto began = std::chrono::steady_clock::now();
  const auto passed = [&] { return std::chrono::steady_clock::now() - began; };
  CHECK(talker.ask({"PING"}, milliseconds{200}) == "-");
  CHECK(passed() >= milliseconds{200});
  for (int i = 0; i < 100; ++i) CHECK(talker.ask({"PING"}, milliseconds{200}) == "-");
  CHECK(passed() < milliseconds{1500});
  until(io, [&] { return passed() > kRedisSilence + milliseconds{200}; });
  CHECK(talker.ask({"PING"}, milliseconds{200}) == "-");
  CHECK_FALSE(talker.client->connected());
  server.signal(SIGCONT);
  REQUIRE(talker.connects());
  CHECK(talker.ask({"PING"}) == "PONG");
}

TEST_CASE("TLS: the certificate must be good and for the host") {
  const TestFolder folder;
  const auto openssl = [&](std::vector<std::string> words) {
    words.insert(words.begin(), "/usr/bin/openssl");
    int status = -1;
    ::waitpid(spawn_program(std::move(words)), &status, 0);
    REQUIRE(status == 0);
  };
  const std::string key = folder.path("key"), crt = folder.path("crt");
  openssl({"req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
           "-keyout", key, "-out", crt, "-days", "2", "-subj", "/CN=redis", "-addext",
           "subjectAltName=DNS:localhost"});
  const std::uint16_t port = free_port();
  const RedisServer server({"--tls-port", std::to_string(port), "--tls-cert-file", crt,
                            "--tls-key-file", key, "--tls-auth-clients", "no"});
  asio::io_context io;
  RedisOptions options;
  options.tls = true;
  options.host = "localhost";
  options.port = port;
  options.ca_file = crt;
  {
    Talker talker(io, options);
    REQUIRE(talker.connects());
    const std::string large(60'000, 'x');
    CHECK(talker.ask({"SET", "k", large}) == "OK");
    CHECK(talker.ask({"GET", "k"}) == large);
  }
  const LogCapture logged;
  {
    RedisOptions other = options;
    other.host = "127.0.0.1";
    Talker talker(io, other);
    REQUIRE(until(io, [&] { return logged.count("IP address mismatch") > 0; }));
  }
  {
    RedisOptions other = options;
    other.ca_file.clear();
    Talker talker(io, other);
    REQUIRE(until(io, [&] { return logged.count("self-signed certificate") > 0; }));
  }
  {
    RedisOptions other = options;
    other.port = server.port;  // speaks, but not TLS
    Talker talker(io, other);
    REQUIRE(until(io, [&] { return logged.count("shared_store_away") > 2; }));
  }
  options.ca_file = folder.path("absent");
  CHECK_FALSE(RedisClient::create(io.get_executor(), options, [] {}).has_value());
}

/// Takes connections, says `greeting` to the first octets of each, and `rest` to the next.
Task<> speak(tcp::acceptor& acceptor, std::string greeting, std::string rest) {
  boost::system::error_code error;
  for (;;) {
    tcp::socket socket =
        co_await acceptor.async_accept(asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return;
    std::array<char, 4096> room;
    for (const std::string* words : {&greeting, &rest}) {
      co_await socket.async_read_some(asio::buffer(room),
                                      asio::redirect_error(asio::use_awaitable, error));
      if (error) break;
      co_await asio::async_write(socket, asio::buffer(*words),
                                 asio::redirect_error(asio::use_awaitable, error));
      if (error) break;
    }
    co_await socket.async_read_some(asio::buffer(room),
                                    asio::redirect_error(asio::use_awaitable, error));
  }
}

struct Liar {
  Liar(asio::io_context& io, std::string greeting, std::string rest)
      : acceptor(io, tcp::endpoint(asio::ip::make_address("127.0.0.1"), 0)) {
    asio::co_spawn(io, speak(acceptor, std::move(greeting), std::move(rest)), asio::detached);
  }
  RedisOptions options() {
    RedisOptions made;
    made.host = "127.0.0.1";
    made.port = acceptor.local_endpoint().port();
    return made;
  }
  tcp::acceptor acceptor;
};

TEST_CASE("a liar is left, with a word that says why") {
  const std::vector<std::pair<std::string, std::string>> lies{
      {"*1000000000\r\n", "no reply of a Redis"},
      {"HTTP/1.1 400 Bad Request\r\n\r\n", "no reply of a Redis"},
      {"+OK\r\n+OK\r\n", "a reply that nobody asked for"},
      {"$200000\r\n" + std::string(200'000, 'x') + "\r\n", "more than 131072 octets"},
      {std::string(200'000, '+'), "more than 131072 octets"},
  };
  for (const auto& [lie, word] : lies) {
    const std::string cause = word;  // clang 14: a lambda cannot capture the binding itself
    CAPTURE(cause);
    asio::io_context io;
    const LogCapture logged;
    Liar liar(io, "+PONG\r\n", lie);
    Talker talker(io, liar.options());
    REQUIRE(talker.connects());
    [[maybe_unused]] const auto reply = talker.ask({"GET", "k"}, milliseconds{1000});
    CHECK(until(io, [&] { return logged.count(cause) > 0; }));
    liar.acceptor.close();
  }
}

TEST_CASE("who does not greet is left, and what it says of the password is not repeated") {
  for (const std::string& greeting : {std::string("-ERR unknown command `AUTH`, with args "
                                                  "beginning with: `s3cret`\r\n"),
                                      std::string("+s3cret\r\n"), std::string(":1\r\n")}) {
    asio::io_context io;
    const LogCapture logged;
    Liar liar(io, greeting, "");
    RedisOptions options = liar.options();
    options.password = "s3cret";
    Talker talker(io, options);
    REQUIRE(until(io, [&] { return logged.count("AUTH refused") > 0; }));
    CHECK(logged.count("s3cret") == 0);
    liar.acceptor.close();
  }
}

TEST_CASE("closing ends what waits") {
  RedisServer server;
  asio::io_context io;
  Talker talker(io, server.by_socket());
  REQUIRE(talker.connects());
  server.signal(SIGSTOP);
  std::string outcome;
  asio::co_spawn(io, talker.client->ask({"PING"}, milliseconds{60'000}),
                 [&outcome](std::exception_ptr, std::optional<RedisReply> reply) {
                   outcome = reply ? "reply" : "none";
                 });
  until(
      io, [] { return false; }, std::chrono::seconds{0});
  io.poll();
  talker.client->close();
  CHECK(until(
      io, [&] { return outcome == "none"; }, std::chrono::seconds{2}));
  io.restart();
  const auto began = std::chrono::steady_clock::now();
  io.run();  // runs dry
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds{2});
  server.signal(SIGCONT);
}

}  // namespace
}  // namespace sealane

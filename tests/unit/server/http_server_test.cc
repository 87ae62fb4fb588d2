// SPDX-License-Identifier: Apache-2.0
#include "server/http_server.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <future>
#include <stdexcept>
#include <thread>

#include "base/log.h"
#include "server/http_client.h"
#include "server/temp_dir.h"

using namespace sealane;
namespace asio = boost::asio;

namespace {

constexpr std::size_t kSmallBody = 40'000;

Task<HttpResponse> echo(HttpRequest request) {
  boost::json::object told{{"method", request.method}, {"body", request.body}};
  told["names"] = boost::json::value_from(request.names);
  told["x"] = request.parameter("x");
  told["user"] = request.peer ? request.peer->user : 4'000'000'000U;
  told["process"] = request.peer ? request.peer->process : -1;
  HttpResponse response;
  response.body = boost::json::serialize(told);
  co_return response;
}

Task<HttpResponse> break_down(HttpRequest) {
  throw std::runtime_error("a bug");
  co_return HttpResponse();
}

Task<std::optional<std::string>> next_line(std::shared_ptr<int> count, int last) {
  const int now = (*count)++;
  if (now > last) co_return std::nullopt;
  if (now == 2) co_return std::string();  // nothing yet
  co_return std::to_string(now) + "\n";
}

Task<HttpResponse> count_to(HttpRequest request) {
  auto count = std::make_shared<int>(0);
  const int last = std::stoi(request.names.at(0));
  HttpResponse response;
  response.pieces = [count, last] { return next_line(count, last); };
  co_return response;
}

class House {
 public:
  explicit House(HttpLimits limits = {}) : server_(io_.get_executor(), limits) {
    set_log_level(Severity::alarm);
    add("GET", "/echo/*", echo);
    add("GET", "/echo/*/b", echo);
    add("GET", "/echo/here", break_down);
    add("POST", "/echo/*", echo, kSmallBody);
    add("GET", "/count/*", count_to);
    auto listener = Listener::open(*parse_listen_address("unix:" + path(), 0600));
    REQUIRE_MESSAGE(listener.has_value(), listener.error());
    std::vector<Listener> listeners;
    listeners.push_back(std::move(*listener));
    server_.start(std::move(listeners));
    thread_ = std::thread([this] { io_.run(); });
  }
  ~House() {
    asio::post(io_, [this] { server_.close(); });
    guard_.reset();
    thread_.join();
  }
  std::string path() const { return dir_.file("http"); }
  HttpReply get(const std::string& target) const { return request(path(), "GET", target); }
  std::string raw(const std::string& octets) const { return raw_request(path(), octets); }

 private:
  void add(std::string method, std::string pattern, HttpHandler handler, std::size_t body = 0) {
    server_.add({std::move(method), std::move(pattern), {"x"}, std::move(handler), body});
  }
  TempDir dir_;
  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> guard_{io_.get_executor()};
  HttpServer server_;
  std::thread thread_;
};

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++found;
  }
  return found;
}

}  // namespace

TEST_CASE("a route gets the names of its path decoded, and the narrower of two routes counts") {
  const House house;
  const HttpReply reply = house.get("/echo/b%C3%BCcher%2Ftest?x=1%262");
  CHECK(reply.status == 200);
  CHECK(reply.body().at("names").as_array().at(0).as_string() ==
        "b\xc3\xbc"
        "cher/test");
  CHECK(reply.member("x") == "1&2");
  CHECK(house.get("/echo/a/b").status == 200);
  CHECK(house.get("/echo/here").status == 500);
  CHECK(house.get("/echo/there").status == 200);
}

TEST_CASE("a request that no route takes is told what there is") {
  const House house;
  struct Row {
    const char* method;
    const char* target;
    int status;
    const char* part;
  };
  for (const Row& row : std::initializer_list<Row>{
           {"GET", "/", 404, "/echo/*"},
           {"GET", "/echo/", 404, "/count/*"},
           {"GET", "/echo/a/b/c", 404, "there are"},
           {"GET", "/echo/%zz", 400, "the path cannot be read"},
           {"GET", "/echo/%4", 400, "the path cannot be read"},
           {"GET", "/echo/a?y=1", 400, "the parameters are x"},
           {"GET", "/echo/a?x=1&x=2", 400, "cannot be read"},
           {"GET", "/echo/a?x=%gg", 400, "cannot be read"},
           {"DELETE", "/echo/a", 405, "only GET, POST"},
       }) {
    CAPTURE(row.target);
    const HttpReply reply = request(house.path(), row.method, row.target);
    CHECK(reply.status == row.status);
    CHECK(reply.member("error").find(row.part) != std::string::npos);
  }
}

TEST_CASE("a body is read to its length, whole, in pieces, and after 100 Continue") {
  const House house;
  const HttpReply whole = request(house.path(), "POST", "/echo/a", "hello");
  CHECK(whole.member("body") == "hello");

  SocketClient slow(house.path());
  slow.send("POST /echo/a HTTP/1.1\r\nContent-Length: 3\r\nConnection: close\r\n\r\na");
  slow.wait_until_read();
  slow.send("b");
  slow.wait_until_read();
  slow.send("c");
  CHECK(parse_reply(slow.all()).member("body") == "abc");

  SocketClient polite(house.path());
  const std::string large(kSmallBody, 'z');
  polite.send("POST /echo/a HTTP/1.1\r\nContent-Length: " + std::to_string(large.size()) +
              "\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n");
  polite.wait_until_read();
  polite.send(large);
  const std::string all = polite.all();
  REQUIRE(all.starts_with("HTTP/1.1 100 Continue\r\n\r\n"));
  CHECK(parse_reply(all.substr(25)).member("body") == large);
}

TEST_CASE("a body that is too long, chunked, or where none belongs ends the connection") {
  const House house;
  const std::string post = "POST /echo/a HTTP/1.1\r\n";
  const std::string next = "GET /echo/smuggled HTTP/1.1\r\n\r\n";
  const auto refused = [&](const std::string& octets, int status) {
    const std::string all = house.raw(octets + next);
    CHECK(count(all, "HTTP/1.1 ") == 1);
    CHECK(parse_reply(all).status == status);
    CHECK(all.find("Connection: close") != std::string::npos);
  };
  refused(post + "Content-Length: 40001\r\n\r\n", 413);
  refused(post + "Content-Length: 18446744073709551615\r\n\r\n", 413);
  refused(post + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r", 411);
  refused(post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 411);
  refused(post + "Transfer-Encoding: gzip\r\n\r\n0\r\n\r\n", 411);
  refused("GET /echo/a HTTP/1.1\r\nContent-Length: 1\r\n\r\nx", 413);
  refused("GET /nowhere HTTP/1.1\r\nContent-Length: 1\r\n\r\nx", 404);
  refused(post + "Content-Length: -1\r\n\r\n", 400);
  refused(post + "Content-Length: 1, 2\r\n\r\n", 400);
  refused(post + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400);
  // A client that sends all before it reads hears why.
  SocketClient eager(house.path());
  CHECK(eager.send(post + "Content-Length: 4000000\r\n\r\n" + std::string(4'000'000, 'x')));
  eager.finish_sending();
  CHECK(parse_reply(eager.all()).status == 413);
  // Without a length there is no body, and what follows is the next request.
  CHECK(count(house.raw(post + "\r\n" + next), "HTTP/1.1 200") == 2);
}

TEST_CASE("what is not HTTP, and a head that is too large, is refused and the connection closed") {
  const House house;
  CHECK(parse_reply(house.raw("7:postfix,\r\n\r\n")).status == 400);
  CHECK(parse_reply(house.raw(std::string("\0\xff\x1b[2J\r\n\r\n", 11))).status == 400);
  const std::string path(kMaxHttpHead, 'a');
  CHECK(parse_reply(house.raw("GET /" + path + " HTTP/1.1\r\n\r\n")).status == 431);
  CHECK(house.raw("GET /echo/").empty());
  std::string many = "GET /echo/a HTTP/1.1\r\n";
  for (int i = 0; i < 10'000; ++i) many += "X-" + std::to_string(i) + ": y\r\n";
  CHECK(parse_reply(house.raw(many + "\r\n")).status == 431);
}

TEST_CASE("one connection serves several requests, pipelined ones too") {
  const House house;
  const std::string one = "GET /echo/a HTTP/1.1\r\nHost: x\r\n";
  const std::string all =
      house.raw(one + "\r\n" + one + "\r\n" + one + "Connection: close\r\n\r\n");
  CHECK(count(all, "HTTP/1.1 200 OK") == 3);
}

TEST_CASE("the answer to HEAD has no body, so that the next one is not taken for it") {
  const House house;
  const std::string all = house.raw(
      "HEAD /echo/a HTTP/1.1\r\n\r\nHEAD /nowhere HTTP/1.1\r\n\r\n"
      "GET /echo/b HTTP/1.1\r\nConnection: close\r\n\r\n");
  REQUIRE(all.starts_with("HTTP/1.1 405 "));
  CHECK(all.find("Allow: GET") < all.find("\r\n\r\n"));
  const std::string second = all.substr(all.find("\r\n\r\n") + 4);
  REQUIRE(second.starts_with("HTTP/1.1 404 "));
  const std::string third = second.substr(second.find("\r\n\r\n") + 4);
  REQUIRE(third.starts_with("HTTP/1.1 200 OK"));
  CHECK(parse_reply(third).member("method") == "GET");
}

TEST_CASE("a stream comes in chunks, waits while there is nothing, and the connection goes on") {
  const House house;
  SocketClient client(house.path());
  client.send("GET /count/4 HTTP/1.1\r\n\r\nGET /count/0 HTTP/1.1\r\nConnection: close\r\n\r\n");
  const std::string all = client.all();
  CHECK(count(all, "HTTP/1.1 200 OK") == 2);
  CHECK(all.find("Content-Type: application/x-ndjson") != std::string::npos);
  CHECK(parse_reply(all.substr(0, all.rfind("HTTP/1.1"))).text == "0\n1\n3\n4\n");
  CHECK(parse_reply(all.substr(all.rfind("HTTP/1.1"))).text == "0\n");
}

TEST_CASE("a client that knows no chunks gets the lines as they are") {
  const House house;
  const std::string all = house.raw("GET /count/4 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  CHECK(all.find("chunked") == std::string::npos);
  CHECK(all.find("Connection: close") != std::string::npos);
  CHECK(all.substr(all.find("\r\n\r\n") + 4) == "0\n1\n3\n4\n");
}

TEST_CASE("a client that dawdles over head, body or reading is cut off") {
  HttpLimits limits;
  limits.head = limits.patience = std::chrono::milliseconds{200};
  const House house(limits);
  SocketClient head(house.path());
  head.send("GET /echo/a HTTP/1.1\r\n");
  CHECK(head.all().empty());
  SocketClient body(house.path());
  body.send("POST /echo/a HTTP/1.1\r\nContent-Length: 10\r\n\r\nslow");
  CHECK(body.all().empty());
  SocketClient deaf(house.path());
  deaf.send("GET /count/2000000000 HTTP/1.1\r\n\r\n");
  ::usleep(600'000);
  const std::string got = deaf.all();
  CHECK(got.starts_with("HTTP/1.1 200 OK"));
  CHECK(got.size() < 4'000'000);
  CHECK_FALSE(got.ends_with("0\r\n\r\n"));
}

TEST_CASE("connections beyond the limit are closed at once") {
  const House house;
  std::vector<SocketClient> clients;
  for (std::size_t i = 0; i < kMaxHttpConnections; ++i) clients.emplace_back(house.path());
  SocketClient over(house.path());
  CHECK(over.all().empty());
  clients.pop_back();
  clients.front().send("GET /echo/a HTTP/1.1\r\nConnection: close\r\n\r\n");
  CHECK(parse_reply(clients.front().all()).status == 200);
}

TEST_CASE("a client that left a stream that has nothing gives its place back") {
  HttpLimits limits;
  limits.connections = 1;
  const House house(limits);
  {
    SocketClient client(house.path());
    client.send("GET /count/2000000000 HTTP/1.1\r\n\r\n");
  }
  for (int i = 0; i < 100; ++i) {
    const std::string all = house.raw("GET /echo/a HTTP/1.1\r\nConnection: close\r\n\r\n");
    if (!all.empty()) {
      CHECK(parse_reply(all).status == 200);
      return;
    }
    ::usleep(100'000);
  }
  FAIL("the place was not given back");
}

TEST_CASE("a request knows who is at the other end of a unix socket") {
  const House house;
  const HttpReply reply = house.get("/echo/a");
  CHECK(reply.body().at("user").as_int64() == ::getuid());
  CHECK(reply.body().at("process").as_int64() == ::getpid());
}

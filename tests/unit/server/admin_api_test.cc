// SPDX-License-Identifier: Apache-2.0
#include "server/admin_api.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/json.hpp>
#include <thread>

#include "base/log.h"
#include "fakes.h"
#include "server/fake_finder.h"
#include "server/postfix_reply.h"
#include "server/socket_client.h"
#include "server/temp_dir.h"

using namespace sealane;
namespace asio = boost::asio;
namespace json = boost::json;

namespace {

class House {
 public:
  House()
      : cache_(
            io_.get_executor(), io_.get_executor(),
            [this](PolicyQuestion question) { return finder.find(std::move(question)); },
            postfix_reply, clock_),
        socketmap_(io_.get_executor(), cache_),
        api_(io_.get_executor(), cache_, socketmap_, clock_, {"a \"warning\""}) {
    set_log_level(Severity::alarm);
    finder.decisions["a.test"] = found(Action::dane_only, std::chrono::seconds{120});
    finder.decisions["down.test"] = found(Action::temporary);
    auto listener = Listener::open(*parse_listen_address("unix:" + path(), 0600));
    REQUIRE_MESSAGE(listener.has_value(), listener.error());
    std::vector<Listener> listeners;
    listeners.push_back(std::move(*listener));
    api_.start(std::move(listeners));
    thread_ = std::thread([this] { io_.run(); });
  }
  ~House() {
    asio::post(io_, [this] {
      finder.release();
      api_.close();
      cache_.close();
    });
    guard_.reset();
    thread_.join();
  }
  std::string path() const { return dir_.file("admin"); }

  FakeFinder finder;  // set up before the first request only

 private:
  TempDir dir_;
  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> guard_{io_.get_executor()};
  FakeClock clock_;
  AnswerCache cache_;
  SocketmapServer socketmap_;
  AdminApi api_;
  std::thread thread_;
};

struct Reply {
  int status = 0;
  std::string head;
  json::value body;
};

Reply parse(const std::string& octets) {
  Reply reply;
  const std::size_t end = octets.find("\r\n\r\n");
  REQUIRE(end != std::string::npos);
  reply.head = octets.substr(0, end);
  reply.status = std::stoi(octets.substr(9, 3));
  reply.body = json::parse(octets.substr(end + 4));
  return reply;
}

Reply get(const House& house, const std::string& target, const std::string& method = "GET") {
  SocketClient client(house.path());
  client.send(method + " " + target + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  return parse(client.all());
}

std::string raw(const House& house, const std::string& octets) {
  SocketClient client(house.path());
  client.send(octets);
  client.finish_sending();
  return client.all();
}

std::string text(const Reply& reply, const char* name) {
  return std::string(reply.body.at(name).as_string());
}

}  // namespace

TEST_CASE("a query shows the exact payload, its status and how long it holds") {
  const House house;
  const Reply reply = get(house, "/v1/query?key=A.test&dialect=postfix");
  CHECK(reply.status == 200);
  CHECK(reply.head.find("Content-Type: application/json") != std::string::npos);
  CHECK(text(reply, "key") == "A.test");
  CHECK(text(reply, "dialect") == "postfix");
  CHECK(text(reply, "status") == "OK");
  CHECK(text(reply, "reply") == "OK dane-only");
  CHECK(text(reply, "action") == "dane-only");
  CHECK(reply.body.at("ttl").as_int64() == 120);
  CHECK_FALSE(reply.body.as_object().contains("reason"));
}

TEST_CASE("a query without a dialect is one of Postfix, and none is NOTFOUND with its blank") {
  const House house;
  const Reply reply = get(house, "/v1/query?key=b.test");
  CHECK(text(reply, "status") == "NOTFOUND");
  CHECK(text(reply, "reply") == "NOTFOUND ");
}

TEST_CASE("a temporary answer has its reason") {
  const House house;
  const Reply reply = get(house, "/v1/query?key=down.test");
  CHECK(text(reply, "status") == "TEMP");
  CHECK(text(reply, "reason") == "resolver down");
  CHECK(text(reply, "reply") == "TEMP down.test: resolver down");
}

TEST_CASE("a key may be percent-encoded, and what is no text comes back escaped") {
  const House house;
  CHECK(text(get(house, "/v1/query?key=%61%2etest"), "reply") == "OK dane-only");
  CHECK(text(get(house, "/v1/query?key=b%C3%BCcher.test"), "key") ==
        "b\xc3\xbc"
        "cher.test");
  const Reply bad = get(house, "/v1/query?key=a%FF.test");
  CHECK(text(bad, "key") == "a\\xff.test");
  CHECK(text(bad, "status") == "TEMP");
  CHECK(text(get(house, "/v1/query?key=%1b%5B2J"), "status") == "NOTFOUND");
}

TEST_CASE("what cannot be answered is an error in JSON") {
  const House house;
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
    const Reply reply = get(house, row.target);
    CHECK(reply.status == row.status);
    CHECK(text(reply, "error").find(row.part) != std::string::npos);
  }
  const Reply wrong = get(house, "/v1/query?key=a.test", "POST");
  CHECK(wrong.status == 405);
  CHECK(wrong.head.find("Allow: GET") != std::string::npos);
}

TEST_CASE("one connection serves several requests, pipelined ones too") {
  const House house;
  SocketClient client(house.path());
  const std::string request = "GET /v1/query?key=a.test HTTP/1.1\r\nHost: x\r\n";
  client.send(request + "\r\n" + request + "\r\n" + request + "Connection: close\r\n\r\n");
  const std::string all = client.all();
  std::size_t replies = 0;
  for (std::size_t at = all.find("HTTP/1.1 200 OK"); at != std::string::npos;
       at = all.find("HTTP/1.1 200 OK", at + 1)) {
    ++replies;
  }
  CHECK(replies == 3);
}

TEST_CASE("what is not HTTP, and what is too large, is refused and the connection closed") {
  const House house;
  CHECK(parse(raw(house, "7:postfix,\r\n\r\n")).status == 400);
  const std::string path(kMaxAdminHead, 'a');
  CHECK(parse(raw(house, "GET /" + path + " HTTP/1.1\r\n\r\n")).status == 431);
  CHECK(parse(raw(house, "POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\nx")).status == 413);
  const std::string chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
  CHECK(parse(raw(house, chunked + "0\r\n\r")).status == 413);
  CHECK(raw(house, "GET /v1/sta").empty());
  const std::string longest =
      "GET /v1/query?key=" + std::string(30'000, 'a') + " HTTP/1.1\r\nConnection: close\r\n\r\n";
  CHECK(text(parse(raw(house, longest)), "status") == "NOTFOUND");
}

TEST_CASE("the status has the version, the start, the warnings and the counters") {
  const House house;
  get(house, "/v1/query?key=a.test");
  get(house, "/v1/query?key=a.test");
  const Reply reply = get(house, "/v1/status");
  CHECK(text(reply, "version") == SEALANE_VERSION);
  CHECK(text(reply, "up_since") == "2026-09-21T14:13:20Z");
  CHECK(reply.body.at("warnings").as_array().at(0).as_string() == "a \"warning\"");
  CHECK(reply.body.at("cache").at("hits").as_int64() == 1);
  CHECK(reply.body.at("cache").at("lookups").as_int64() == 1);
  CHECK(reply.body.at("socketmap").at("connections").as_int64() == 0);
}

TEST_CASE("connections beyond the limit are closed at once") {
  const House house;
  std::vector<SocketClient> clients;
  for (std::size_t i = 0; i < kMaxAdminConnections; ++i) clients.emplace_back(house.path());
  SocketClient over(house.path());
  CHECK(over.all().empty());
  clients.pop_back();
  clients.front().send("GET /v1/status HTTP/1.1\r\nConnection: close\r\n\r\n");
  CHECK(parse(clients.front().all()).status == 200);
}

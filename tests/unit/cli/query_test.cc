// SPDX-License-Identifier: Apache-2.0
// `sealane query` against the real admin API, and against a daemon that lies.
#include "cli/query.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <optional>
#include <sstream>
#include <thread>

#include "cli/admin_client.h"
#include "server/admin_house.h"

using namespace sealane;

namespace {

/// Takes one connection, reads the request's head and sends these octets.
class Liar {
 public:
  explicit Liar(std::string octets) {
    auto listener = Listener::open(*parse_listen_address("unix:" + dir_.file("admin"), 0600));
    REQUIRE_MESSAGE(listener.has_value(), listener.error());
    listener_.emplace(std::move(*listener));
    acceptor_ = listener_->release();
    ::fcntl(acceptor_, F_SETFL, 0);
    thread_ = std::thread([this, octets = std::move(octets)] { serve(octets); });
  }
  ~Liar() {
    thread_.join();
    ::close(acceptor_);
  }
  std::string address() const { return "unix:" + dir_.file("admin"); }

 private:
  void serve(const std::string& octets) const {
    const int client = ::accept(acceptor_, nullptr, nullptr);
    std::string head;
    char room[4096];
    while (head.find("\r\n\r\n") == std::string::npos) {
      const ssize_t read = ::recv(client, room, sizeof room, 0);
      if (read <= 0) break;
      head.append(room, static_cast<std::size_t>(read));
    }
    ::send(client, octets.data(), octets.size(), MSG_NOSIGNAL);
    ::close(client);
  }
  TempDir dir_;
  std::optional<Listener> listener_;
  int acceptor_ = -1;
  std::thread thread_;
};

struct Outcome {
  int status;
  std::string out;
  std::string err;
};

Outcome query(const std::vector<std::string>& words) {
  std::ostringstream out;
  std::ostringstream err;
  const int status = query_command(words, out, err);
  return {status, out.str(), err.str()};
}
bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("query prints the payload of Postfix and ends as the answer is") {
  const AdminHouse house;
  const Outcome ok = query({"a.test", "--admin", house.address()});
  CHECK(ok.status == 0);
  CHECK(ok.out == "OK dane-only\n");
  CHECK(ok.err.empty());

  const Outcome none = query({"--admin=" + house.address(), "none.test"});
  CHECK(none.status == 1);
  CHECK(none.out == "NOTFOUND \n");

  const Outcome down = query({"down.test", "--admin", house.address()});
  CHECK(down.status == 3);
  CHECK(down.out == "TEMP down.test: resolver down\n");
}

TEST_CASE("query asks for the dialect it was told, and any key gets through") {
  const AdminHouse house;
  CHECK(query({"a.test", "--dialect", "requiretls", "--admin", house.address()}).out ==
        "OK enforce\n");
  for (const char* key : {"[a.test]:25",
                          "b\xc3\xbc"
                          "cher.test",
                          "a&dialect=x", "", " ", "%", "+"}) {
    CAPTURE(key);
    CHECK(query({"--admin", house.address(), "--", key}).status == 1);
  }
}

TEST_CASE("query --json prints what the daemon says") {
  const AdminHouse house;
  const Outcome ok = query({"a.test", "--json", "--admin", house.address()});
  const boost::json::value parsed = boost::json::parse(ok.out);
  CHECK(parsed.at("reply").as_string() == "OK dane-only");
  CHECK(parsed.at("key").as_string() == "a.test");
  CHECK(ok.status == 0);
}

TEST_CASE("wrong usage of query ends with 2 and the usage") {
  const AdminHouse house;
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {}, {"a", "b"}, {"a", "--nonsense"}, {"a", "--dialect"}, {"a", "--dial", "x"}}) {
    const Outcome wrong = query(words);
    CHECK(wrong.status == 2);
    CHECK(contains(wrong.err, "Usage: sealane query KEY"));
    CHECK(wrong.out.empty());
  }
  const Outcome flags = query({"a.test", "--requiretls", "--admin", house.address()});
  CHECK(flags.status == 2);
  CHECK(contains(flags.err, "only Exim"));
  const Outcome dialect = query({"a.test", "--dialect", "qmail", "--admin", house.address()});
  CHECK(dialect.status == 2);
  CHECK(contains(dialect.err, "there are postfix"));
}

TEST_CASE("without a daemon query ends with 3 and names the socket") {
  const TempDir dir;
  const Outcome gone = query({"a.test", "--admin", "unix:" + dir.file("none")});
  CHECK(gone.status == 3);
  CHECK(contains(gone.err, dir.file("none") + ": No such file"));
  CHECK(query({"a.test", "--admin", "inet:127.0.0.1:1"}).status == 3);
}

TEST_CASE("nothing that a terminal might obey is printed") {
  const Liar liar(
      "HTTP/1.1 200 OK\r\n\r\n"
      R"({"status":"OK","reply":"OK \u001b[2J\u009b\n\\x"})");
  const Outcome shown = query({"a.test", "--admin", liar.address()});
  CHECK(shown.out == "OK \\x1b[2J\\xc2\\x9b\\x0a\\x\n");
}

TEST_CASE("text that harms nobody is printed as it is") {
  const AdminHouse house;
  const Outcome shown =
      query({"b\xc3\xbc"
             "cher.test",
             "--json", "--admin", house.address()});
  CHECK(contains(shown.out, "\"b\\u00fccher.test\""));  // the same, and safe on any terminal
  const Liar liar("HTTP/1.1 200 OK\r\n\r\n{\"status\":\"OK\",\"reply\":\"OK b\xc3\xbc\"}");
  CHECK(query({"a.test", "--admin", liar.address()}).out == "OK b\xc3\xbc\n");
}

TEST_CASE("an answer that is not the daemon's ends with 3") {
  for (const char* octets :
       {"", "SSH-2.0-x\r\n", "HTTP/1.1 200 OK\r\n\r\nnot json", "HTTP/1.1 200 OK\r\n\r\n[]",
        "HTTP/1.1 200 OK\r\n\r\n{}", "HTTP/1.1 xyz\r\n\r\n{}", "HTTP/1.1 500 x\r\n\r\n{}"}) {
    CAPTURE(octets);
    const Liar liar(octets);
    CHECK(query({"a.test", "--admin", liar.address()}).status == 3);
  }
}

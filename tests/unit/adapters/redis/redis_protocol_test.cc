// SPDX-License-Identifier: Apache-2.0
#include "adapters/redis/redis_protocol.h"

#include <doctest/doctest.h>

#include <random>

namespace sealane {
namespace {

using Kind = RedisReply::Kind;

/// All replies in these octets, as texts; the last one is the failure, if there is one.
std::vector<std::string> replies(std::string_view octets, std::size_t at_once = 1) {
  RedisParser parser;
  std::vector<std::string> all;
  for (std::size_t i = 0; i < octets.size(); i += at_once) {
    parser.feed(octets.substr(i, at_once));
    for (;;) {
      const auto reply = parser.next();
      if (!reply) {
        all.push_back("failed: " + reply.error());
        return all;
      }
      if (!*reply) break;
      const char* kinds[] = {"nil", "status", "error", "text", "number"};
      all.push_back(std::string(kinds[static_cast<int>((*reply)->kind)]) + " " + (*reply)->text +
                    std::to_string((*reply)->number));
    }
  }
  return all;
}

TEST_CASE("a command is a list of strings of any octets") {
  const RedisCommand command{"SET", std::string("k\0\r\n", 4), ""};
  CHECK(format_command(command) ==
        std::string("*3\r\n$3\r\nSET\r\n$4\r\nk\0\r\n\r\n$0\r\n\r\n", 29));
}

TEST_CASE("replies are cut out of the stream, however it arrives") {
  const std::string stream =
      "+PONG\r\n-ERR no\r\n:-7\r\n$-1\r\n$0\r\n\r\n$5\r\na\r\nb\n\r\n+OK\r\n";
  const std::vector<std::string> expected{"status PONG0", "error ERR no0",  "number -7", "nil 0",
                                          "text 0",       "text a\r\nb\n0", "status OK0"};
  for (std::size_t at_once = 1; at_once <= stream.size(); ++at_once) {
    CHECK(replies(stream, at_once) == expected);
  }
}

TEST_CASE("lists, and the types of RESP3, end the stream") {
  for (const std::string_view octets :
       {"*1\r\n+OK\r\n", "*0\r\n", "*1000000000\r\n", "*2147483647\r\n$1\r\n", "%1\r\n+a\r\n+b\r\n",
        ",3.14\r\n", "#t\r\n", "~1\r\n+a\r\n", ">1\r\n+a\r\n"}) {
    CAPTURE(octets);
    const auto all = replies(octets);
    REQUIRE_FALSE(all.empty());
    CHECK(all.front().starts_with("failed: "));
  }
}

TEST_CASE("what is no RESP ends the stream") {
  for (const std::string_view octets :
       {"HTTP/1.1 400 Bad Request\r\n", "\r\n", "$abc\r\n", "$-2\r\n", ":12a\r\n",
        "$99999999999999999999\r\n", "\x16\x03\x01\x02"}) {
    CAPTURE(octets);
    const auto all = replies(octets);
    REQUIRE_FALSE(all.empty());
    CHECK(all.front().starts_with("failed: "));
  }
}

TEST_CASE("a reply has kMaxRedisReply octets at most") {
  const auto text_of = [](std::size_t size) {
    return fmt::format("${}\r\n{}\r\n", size, std::string(size, 'x'));
  };
  CHECK(replies(text_of(kMaxRedisReply - 100), 16384).front().starts_with("text x"));
  CHECK(replies(text_of(kMaxRedisReply + 20000), 16384) ==
        std::vector<std::string>{"failed: a reply of more than 131072 octets"});
  CHECK(replies("+" + std::string(kMaxRedisReply + 20000, 'x'), 16384) ==
        std::vector<std::string>{"failed: a reply of more than 131072 octets"});
  CHECK(replies("$536870912\r\n" + std::string(kMaxRedisReply + 20000, 'x'), 16384) ==
        std::vector<std::string>{"failed: a reply of more than 131072 octets"});
}

TEST_CASE("random octets do no harm") {
  std::mt19937 random(5);
  const std::string_view letters = "+-:$*%#,\r\n0123456789ab\xff";
  std::size_t failures = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string octets;
    for (int i = 0; i < 40; ++i) octets += letters[random() % letters.size()];
    const auto all = replies(octets, 1 + random() % 7);
    failures += !all.empty() && all.back().starts_with("failed: ") ? 1u : 0u;
  }
  CHECK(failures > 10'000);
}

}  // namespace
}  // namespace sealane

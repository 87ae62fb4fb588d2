// SPDX-License-Identifier: Apache-2.0
#include "adapters/https/reply_reader.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <random>

#include "policy/sts_policy.h"

namespace sealane {
namespace {

using Kind = ReplyReader::Kind;

/// What a reply comes to when it arrives in pieces of `size` octets and the connection then ends.
std::string judge(Kind kind, std::string_view octets, std::size_t size) {
  ReplyReader reader(kind);
  const auto show = [](const FetchFailure& f) {
    return fmt::format("{}: {}", name_of(f.problem), f.text);
  };
  for (std::size_t at = 0; at < octets.size(); at += size) {
    const auto done = reader.take(octets.substr(at, size));
    if (!done) return show(done.error());
    if (*done) return "ok: " + std::move(reader).body();
  }
  const auto done = reader.end();
  return done ? "ok: " + std::move(reader).body() : show(done.error());
}

/// The same, which must not depend on how the octets arrive.
std::string judge(std::string_view octets, Kind kind = Kind::policy) {
  const std::string whole = judge(kind, octets, octets.size() + 1);
  for (const std::size_t size : {1, 2, 3, 4, 5, 7, 100}) {
    CAPTURE(size);
    CHECK(judge(kind, octets, size) == whole);
  }
  return whole;
}

std::string reply(std::string_view fields, std::string_view body,
                  std::string_view status = "200 OK") {
  return fmt::format("HTTP/1.1 {}\r\n{}\r\n{}", status, fields, body);
}

constexpr char kPlain[] = "Content-Type: text/plain\r\n";

std::string plain(std::string_view fields, std::string_view body) {
  return reply(kPlain + std::string(fields), body);
}

TEST_CASE("a body ends by its length, by its last chunk or with the connection") {
  CHECK(judge(plain("Content-Length: 5\r\n", "hello")) == "ok: hello");
  CHECK(judge(plain("Content-Length: 0\r\n", "")) == "ok: ");
  CHECK(judge(plain("", "hello")) == "ok: hello");
  CHECK(judge(plain("", "")) == "ok: ");
  const std::string chunked = "Transfer-Encoding: chunked\r\n";
  CHECK(judge(plain(chunked, "2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n")) == "ok: hello");
  CHECK(judge(plain(chunked, "5\r\nhello\r\n0\r\nTrailer: x\r\n\r\n")) == "ok: hello");
  CHECK(judge(plain(chunked, "0\r\n\r\n")) == "ok: ");
  CHECK(judge("HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nhello") == "ok: hello");
}

TEST_CASE("what is cut short is no policy") {
  CHECK(judge("") == "protocol: no reply");
  CHECK(judge("HTTP/1.1 200") == "protocol: reply cut short");
  CHECK(judge("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n") == "protocol: reply cut short");
  CHECK(judge(plain("Content-Length: 6\r\n", "hello")) == "protocol: reply cut short");
  CHECK(judge(plain("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n")) ==
        "protocol: reply cut short");
  CHECK(judge(plain("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n")) ==
        "protocol: reply cut short");
}

TEST_CASE("only status 200 counts and a redirect is not followed") {
  const std::string body = "Content-Type: text/plain\r\nContent-Length: 2\r\n";
  for (const int status : {101, 201, 203, 204, 206, 304, 400, 404, 410, 500, 503}) {
    CHECK(judge(reply(body, "hi", fmt::format("{} X", status))) ==
          fmt::format("status: {}", status));
  }
  for (const int status : {300, 301, 302, 303, 307, 308}) {
    CHECK(judge(reply("Location: https://other.example/\r\n", "", fmt::format("{} X", status))) ==
          fmt::format("redirect: redirect to https://other.example/ ({})", status));
  }
  CHECK(judge(reply("Location: a\x80\"b\r\n", "", "302 X")) ==
        "redirect: redirect to a\\x80\"b (302)");
  CHECK(judge(reply("", "", "302 X")) == "redirect: redirect to nowhere (302)");
  CHECK(judge(reply("Content-Length: 99999999\r\n", "", "404 Not Found")) == "status: 404");
}

TEST_CASE("interim replies are passed over, but not without end") {
  const std::string early = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n";
  const std::string good = plain("Content-Length: 2\r\n", "hi");
  CHECK(judge(early + good) == "ok: hi");
  CHECK(judge("HTTP/1.1 100 Continue\r\n\r\n" + early + good) == "ok: hi");
  std::string many;
  for (int i = 0; i < kMaxInterimReplies; ++i) many += early;
  CHECK(judge(many + good) == "ok: hi");
  CHECK(judge(many + early + good) == "protocol: too many interim replies");
}

TEST_CASE("the media type is text/plain, whatever its case and parameters") {
  for (const char* type : {"text/plain", "TEXT/Plain", "text/plain; charset=utf-8", "text/plain;",
                           "  text/plain ; x=\"a;b\" "}) {
    CHECK(judge(reply(fmt::format("Content-Type: {}\r\n", type), "hi")) == "ok: hi");
  }
  for (const char* type : {"text/html", "text/plainx", "application/octet-stream", "text"}) {
    CHECK(judge(reply(fmt::format("Content-Type: {}\r\n", type), "hi")) ==
          fmt::format("media-type: media type {}", type));
  }
  CHECK(judge(reply("", "hi")) == "media-type: no media type");
  CHECK(judge(reply("Content-Type:\r\n", "hi")) == "media-type: media type ");
  CHECK(judge(reply("Content-Type: text/plain\r\nContent-Type: text/html\r\n", "hi")) ==
        "media-type: media type text/html");
}

TEST_CASE("any coding but identity is refused") {
  CHECK(judge(plain("Content-Encoding: Identity\r\n", "hi")) == "ok: hi");
  CHECK(judge(plain("Content-Encoding: gzip\r\n", "hi")) == "protocol: content coding gzip");
  CHECK(judge(plain("Transfer-Encoding: gzip, chunked\r\n", "2\r\nhi\r\n0\r\n\r\n")) ==
        "protocol: transfer coding gzip, chunked");
}

TEST_CASE("a body may have 65536 octets and not one more") {
  const std::string most(kMaxPolicyBody, 'x'), more(kMaxPolicyBody + 1, 'x');
  const auto length = [](const std::string& body) {
    return plain(fmt::format("Content-Length: {}\r\n", body.size()), body);
  };
  const auto chunked = [](const std::string& body, std::size_t chunk) {
    std::string all;
    for (std::size_t at = 0; at < body.size(); at += chunk) {
      const auto piece = body.substr(at, chunk);
      all += fmt::format("{:x}\r\n{}\r\n", piece.size(), piece);
    }
    return plain("Transfer-Encoding: chunked\r\n", all + "0\r\n\r\n");
  };
  for (const std::size_t size : {1, 1000, 1000000}) {
    CAPTURE(size);
    CHECK(judge(Kind::policy, length(most), size) == "ok: " + most);
    CHECK(judge(Kind::policy, plain("", most), size) == "ok: " + most);
    CHECK(judge(Kind::policy, chunked(most, 70000), size) == "ok: " + most);
    CHECK(judge(Kind::policy, chunked(most, 1), size) == "ok: " + most);
    const char* refused = "too-large: body over 65536 octets";
    CHECK(judge(Kind::policy, length(more), size) == refused);
    CHECK(judge(Kind::policy, plain("", more), size) == refused);
    CHECK(judge(Kind::policy, chunked(more, 70000), size) == refused);
    CHECK(judge(Kind::policy, chunked(more, 1), size) == refused);
  }
  CHECK(judge(plain("Content-Length: 18446744073709551615\r\n", "")) ==
        "too-large: body over 65536 octets");
}

TEST_CASE("a head may have 16384 octets and not one more") {
  const auto with_head_of = [](std::size_t size) {
    const std::string empty = plain("Content-Length: 2\r\nX: \r\n", "");
    return plain("Content-Length: 2\r\nX: " + std::string(size - empty.size(), 'x') + "\r\n", "hi");
  };
  for (const std::size_t size : {1, 1000, 1000000}) {
    CAPTURE(size);
    CHECK(judge(Kind::policy, with_head_of(kMaxReplyHead), size) == "ok: hi");
    CHECK(judge(Kind::policy, with_head_of(kMaxReplyHead + 1), size) ==
          "too-large: headers over 16384 octets");
  }
}

TEST_CASE("a chunk line or a trailer without end is refused") {
  const std::string chunked = "Transfer-Encoding: chunked\r\n", endless(700000, 'x');
  for (const std::size_t size : {100, 16384, 1000000}) {
    CAPTURE(size);
    for (const std::string body : {"1;x=", "0\r\nX: ", "2\r\nhi\r\n1;x="}) {
      const std::string verdict = judge(Kind::policy, plain(chunked, body + endless), size);
      CHECK(verdict.starts_with("too-large: "));
    }
  }
}

TEST_CASE("what is not HTTP is refused") {
  for (const char* text : {"220 smtp.example ESMTP\r\n", "\x15\x03\x01", "<html>", "HTTP/2 200\r\n",
                           "HTTP/1.1 2x0 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nNo colon\r\n\r\n",
                           "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
                           "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"}) {
    CAPTURE(text);
    for (const std::size_t size : {1, 3, 1000}) {
      CHECK(judge(Kind::policy, text, size).starts_with("protocol: "));
    }
  }
  CHECK(judge(plain("Transfer-Encoding: chunked\r\n", "zz\r\nhi\r\n0\r\n\r\n"))
            .starts_with("protocol: not HTTP: "));
  CHECK(judge(plain("Transfer-Encoding: chunked\r\n", "ffffffffffffffffff\r\nhi"))
            .starts_with("protocol: not HTTP: "));
}

TEST_CASE("a tunnel is open after a 2xx with nothing behind it") {
  CHECK(judge("HTTP/1.1 200 Connection established\r\n\r\n", Kind::tunnel) == "ok: ");
  CHECK(judge("HTTP/1.0 299 x\r\nContent-Length: 5\r\n\r\n", Kind::tunnel) == "ok: ");
  CHECK(judge("HTTP/1.1 407 x\r\nContent-Length: 5\r\n\r\nhello", Kind::tunnel) == "own: 407");
  CHECK(judge("HTTP/1.1 400 x\r\n\r\n", Kind::tunnel) == "own: 400");
  CHECK(judge("HTTP/1.1 403 x\r\n\r\n", Kind::tunnel) == "connect: 403");
  CHECK(judge("HTTP/1.1 502 x\r\n\r\n", Kind::tunnel) == "connect: 502");
  CHECK(judge("HTTP/1.1 500 x\r\n\r\n", Kind::tunnel) == "connect: 500");
  CHECK(judge(Kind::tunnel, "HTTP/1.1 200 x\r\n\r\nhi", 1000) == "own: octets before the tunnel");
}

TEST_CASE("no octets whatever make it do anything but accept or refuse") {
  std::mt19937 random(11);
  const std::string seeds[] = {
      plain("Transfer-Encoding: chunked\r\n", "2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nA: b\r\n\r\n"),
      plain("Content-Length: 5\r\n", "hello"), "HTTP/1.1 103 x\r\n\r\n" + plain("", "hello"),
      reply("Location: /x\r\n", "", "301 x")};
  const std::string alphabet = "\r\n:; 0123456789abcfxHTP/.=\"\\,\t\x80";
  for (int round = 0; round < 20000; ++round) {
    std::string octets = seeds[random() % 4];
    for (auto changes = random() % 6; changes > 0; --changes) {
      const auto at = random() % octets.size();
      const char c = alphabet[random() % alphabet.size()];
      if (random() % 3 == 0)
        octets.erase(at, 1 + random() % 3);
      else if (random() % 2 == 0)
        octets.insert(at, 1, c);
      else
        octets[at] = c;
      if (octets.empty()) octets = "x";
    }
    CAPTURE(octets);
    const std::string whole = judge(Kind::policy, octets, octets.size());
    REQUIRE(judge(Kind::policy, octets, 1 + random() % 8).substr(0, 3) == whole.substr(0, 3));
  }
}

}  // namespace
}  // namespace sealane

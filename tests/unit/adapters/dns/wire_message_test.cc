// SPDX-License-Identifier: Apache-2.0
#include "adapters/dns/wire_message.h"

#include <algorithm>
#include <random>

#include "adapters/dns/wire_name.h"
#include "fakes.h"

using namespace sealane;

namespace {

constexpr std::uint16_t kTxt = 16, kMx = 15, kTlsa = 52, kA = 1, kAlias = 5;

std::string two(unsigned value) {
  return {static_cast<char>(value >> 8), static_cast<char>(value & 255)};
}
std::string four(std::uint32_t value) { return two(value >> 16) + two(value & 0xffff); }

std::string record(std::string_view owner, std::uint16_t type, const std::string& rdata,
                   std::uint16_t rr_class = 1) {
  return to_wire(domain(owner)) + two(type) + two(rr_class) + four(300) +
         two(static_cast<unsigned>(rdata.size())) + rdata;
}

/// A reply with these records, as a resolver sends it.
std::string wire(std::string_view name, std::uint16_t type, const std::vector<std::string>& answer,
                 const std::vector<std::string>& authority = {}, unsigned flags = 0x81a0) {
  std::string message = two(7) + two(flags) + two(1) + two(static_cast<unsigned>(answer.size())) +
                        two(static_cast<unsigned>(authority.size())) + two(0);
  message += to_wire(domain(name)) + two(type) + two(1);
  for (const auto& rr : answer) message += rr;
  for (const auto& rr : authority) message += rr;
  return message;
}

std::string mx(unsigned preference, std::string_view target) {
  return two(preference) + to_wire(domain(target));
}

}  // namespace

TEST_CASE("header, question and records are read") {
  const auto message = parse_message(
      wire("a.test", kMx,
           {record("A.test", kMx, mx(10, "mx.a.test")), record("b.test", kA, "\1\2\3\4")}));
  CHECK(message.rcode == 0);
  CHECK(message.authentic);
  CHECK_FALSE(message.truncated);
  CHECK_FALSE(message.malformed);
  CHECK(message.question_name == to_wire(domain("a.test")));
  CHECK(message.question_type == kMx);
  CHECK(message.question_class == 1);
  REQUIRE(message.answer.size() == 2);
  CHECK(message.answer[0].owner == to_wire(domain("a.test")));
  CHECK(message.answer[0].name == to_wire(domain("mx.a.test")));
  CHECK(message.answer[0].preference == 10);
  CHECK(message.answer[0].ttl == 300);
  CHECK(message.answer[1].rdata == "\1\2\3\4");
}

TEST_CASE("AD, TC and the rcode are read from the header") {
  CHECK_FALSE(parse_message(wire("a.test", kA, {}, {}, 0x8180)).authentic);
  CHECK(parse_message(wire("a.test", kA, {}, {}, 0x8380)).truncated);
  CHECK(parse_message(wire("a.test", kA, {}, {}, 0x8182)).rcode == 2);
}

TEST_CASE("character-strings of a TXT record are joined without anything between") {
  const auto message =
      parse_message(wire("a.test", kTxt, {record("a.test", kTxt, std::string("\2v=\0\4STSv", 9))}));
  CHECK(message.answer.at(0).rdata == "v=STSv");
}

TEST_CASE("records of another class are not ours") {
  const auto message = parse_message(wire("a.test", kA, {record("a.test", kA, "\1\2\3\4", 3)}));
  CHECK(message.answer.empty());
  CHECK_FALSE(message.malformed);
}

TEST_CASE("a denial lives by the smaller of the SOA's TTL and minimum") {
  const std::string names = to_wire(domain("ns.test")) + to_wire(domain("h.test"));
  const auto soa = [&](std::uint32_t minimum) {
    return record("test", 6, names + four(1) + four(2) + four(3) + four(4) + four(minimum));
  };
  CHECK(parse_message(wire("a.test", kA, {}, {soa(120)})).negative_ttl == 120u);
  CHECK(parse_message(wire("a.test", kA, {}, {soa(900)})).negative_ttl == 300u);
  CHECK_FALSE(parse_message(wire("a.test", kA, {})).negative_ttl);
}

TEST_CASE("a TLSA record of any length is there") {
  for (const std::string& rdata : {std::string(), std::string("\3"), std::string("\3\1"),
                                   std::string("\3\1\1"), std::string("\3\1\1\xab")}) {
    const auto message = parse_message(wire("a.test", kTlsa, {record("a.test", kTlsa, rdata)}));
    const DnsReply reply = read_reply(message, domain("a.test"), RrType::tlsa);
    CHECK(reply.tlsa.size() == 1);  // an empty answer would read as "no TLSA here"
  }
}

TEST_CASE("broken record data is a failure and never an empty answer") {
  const std::string cut_name("\3ab", 3);
  const std::vector<std::pair<RrType, std::string>> broken{
      {RrType::mx, two(10) + cut_name},
      {RrType::mx, "\1"},
      {RrType::mx, ""},
      {RrType::txt, "\5ab"},
      {RrType::cname, cut_name},
      {RrType::a, "\1\2\3"},
      {RrType::a, "\1\2\3\4\5"},
      {RrType::aaaa, "\1"},
  };
  for (const auto& [type, rdata] : broken) {
    const auto number = static_cast<std::uint16_t>(type);
    const auto message = parse_message(wire("a.test", number, {record("a.test", number, rdata)}));
    CHECK(read_reply(message, domain("a.test"), type).failed());
  }
}

TEST_CASE("a reply that ends before its records do is a failure") {
  const std::string whole = wire("a.test", kTlsa, {record("a.test", kTlsa, "\3\1\1x")});
  const std::size_t question_end = whole.size() - record("a.test", kTlsa, "\3\1\1x").size();
  for (std::size_t size = question_end; size < whole.size(); ++size) {
    const auto message = parse_message(whole.substr(0, size));
    INFO("cut at " << size << " of " << whole.size());
    CHECK(read_reply(message, domain("a.test"), RrType::tlsa).failed());
  }
}

TEST_CASE("names are decompressed, and pointers go backwards only") {
  const std::string pointer("\xc0\x0c", 2);  // to the question's name
  std::string rr = pointer + two(kMx) + two(1) + four(60) + two(7) + two(5) + "\2mx" + pointer;
  DnsMessage message = parse_message(wire("a.test", kMx, {rr}));
  CHECK_FALSE(message.malformed);
  CHECK(message.answer.at(0).owner == to_wire(domain("a.test")));
  CHECK(message.answer.at(0).name == to_wire(domain("mx.a.test")));

  const std::size_t begin = wire("a.test", kMx, {}).size();
  for (const std::size_t target : {begin, begin + 1, begin + 12, std::size_t{0x3fff}}) {
    rr = two(0xc000 | static_cast<unsigned>(target)) + two(kA) + two(1) + four(60) + two(0);
    CHECK(parse_message(wire("a.test", kMx, {rr})).malformed);
  }
  rr = "\x40"
       "a" +
       std::string(1, '\0') + two(kA) + two(1) + four(60) + two(0);
  CHECK(parse_message(wire("a.test", kMx, {rr})).malformed);  // a label type that does not exist
}

TEST_CASE("a chain of pointers is followed only so far") {
  // Each TXT string of two octets points to the one before it.
  std::string chain;
  const std::string question = wire("a.test", kTxt, {});
  const std::size_t first = question.size() + to_wire(domain("a.test")).size() + 10;
  for (unsigned i = 0; i < 200; ++i) {
    chain += two(0xc000 | static_cast<unsigned>(i == 0 ? 12 : first + 2 * (i - 1)));
  }
  const auto ends_at = [&](unsigned link) {
    const std::string owner = two(0xc000 | static_cast<unsigned>(first + 2 * link));
    return parse_message(
        wire("a.test", kA,
             {record("a.test", kTlsa, chain), owner + two(kA) + two(1) + four(1) + two(0)}));
  };
  CHECK(ends_at(100).answer.size() == 2);
  CHECK_FALSE(ends_at(100).malformed);
  CHECK(ends_at(199).malformed);
}

TEST_CASE("a name longer than 255 octets is refused") {
  std::string name;
  for (int i = 0; i < 127; ++i) name += "\1x";
  const auto with = [](const std::string& owner) {
    return parse_message(wire("a.test", kA, {owner + two(kA) + two(1) + four(1) + two(0)}));
  };
  CHECK_FALSE(with(name + std::string(1, '\0')).malformed);
  CHECK(with(name + "\1x" + std::string(1, '\0')).malformed);
}

TEST_CASE("the upper bits of the rcode come from EDNS") {
  const std::string opt = std::string(1, '\0') + two(41) + two(1232) + four(0x01000000) + two(0);
  std::string message = wire("a.test", kA, {}) + opt;
  message[11] = 1;
  CHECK(parse_message(message).rcode == 16);
  CHECK(read_reply(parse_message(message), domain("a.test"), RrType::a).why == "RCODE 16");
}

TEST_CASE("queries, messages without a question and scraps are malformed") {
  CHECK(parse_message(wire("a.test", kA, {}, {}, 0x0100)).malformed);
  std::string message = wire("a.test", kA, {});
  message[5] = 0;
  CHECK(parse_message(message).malformed);
  for (std::size_t size = 0; size < 12; ++size) {
    CHECK(read_reply(parse_message(message.substr(0, size)), domain("a.test"), RrType::a).failed());
  }
}

TEST_CASE("mangled messages do no harm") {
  const std::string good =
      wire("a.test", kTlsa,
           {record("a.test", kAlias, to_wire(domain("b.test"))),
            record("b.test", kTlsa, "\3\1\1" + std::string(32, 'x')),
            record("b.test", kMx, mx(1, "m.test")), record("b.test", kTxt, "\3abc")});
  std::mt19937 random(20);  // always the same messages
  std::size_t whole = 0;
  for (int round = 0; round < 50'000; ++round) {
    std::string mangled = good;
    for (auto changes = random() % 4 + 1; changes > 0; --changes) {
      mangled[random() % mangled.size()] = static_cast<char>(random());
    }
    if (random() % 4 == 0) mangled.resize(random() % mangled.size());
    const DnsMessage message = parse_message(mangled);
    const DnsReply reply = read_reply(message, domain("a.test"), RrType::tlsa);
    if (message.malformed) CHECK(reply.failed());
    if (reply.failed()) CHECK_FALSE(reply.secure);
    whole += message.malformed ? 0 : 1;
  }
  CHECK(whole > 1000);
}

TEST_CASE("a query asks for the AD bit and for no DNSSEC records") {
  const std::string edns = std::string(1, '\0') + two(41) + two(1232) + four(0) + two(0);
  CHECK(write_query(0x0102, "_25._tcp.a.test.", kTlsa) ==
        "\1\2" + two(0x0120) + two(1) + two(0) + two(0) + two(1) +
            to_wire(domain("_25._tcp.a.test")) + two(kTlsa) + two(1) + edns);
  CHECK(write_query(7, ".", kTxt).substr(12) == std::string(1, '\0') + two(kTxt) + two(1) + edns);
}

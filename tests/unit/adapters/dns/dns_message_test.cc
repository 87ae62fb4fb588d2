// SPDX-License-Identifier: Apache-2.0
#include "adapters/dns/dns_message.h"

#include "adapters/dns/wire_name.h"
#include "fakes.h"

using namespace sealane;
using namespace std::chrono_literals;

namespace {

DnsMessage message_for(std::string_view name, RrType type) {
  DnsMessage message;
  message.authentic = true;
  message.question_name = to_wire(domain(name));
  message.question_type = static_cast<std::uint16_t>(type);
  message.question_class = kClassInternet;
  return message;
}

void add(DnsMessage& message, std::string_view owner, RrType type, std::string rdata,
         std::uint32_t ttl = 300) {
  DnsRecord record;
  record.owner = to_wire(domain(owner));
  record.type = static_cast<std::uint16_t>(type);
  record.ttl = ttl;
  record.rdata = std::move(rdata);
  message.answer.push_back(std::move(record));
}

void add_name(DnsMessage& message, std::string_view owner, RrType type, std::string target,
              std::uint32_t ttl = 300) {
  add(message, owner, type, "", ttl);
  message.answer.back().name = std::move(target);
  message.answer.back().preference = 10;
}

void add_alias(DnsMessage& message, std::string_view owner, std::string_view target,
               std::uint32_t ttl = 300) {
  add_name(message, owner, RrType::cname, to_wire(domain(target)), ttl);
}

const std::string kAddress("\xc0\x00\x02\x01", 4);

DnsReply read(const DnsMessage& message, std::string_view name, RrType type) {
  return read_reply(message, domain(name), type);
}

}  // namespace

TEST_CASE("records of the question's name are an answer, secure by AD alone") {
  DnsMessage message = message_for("mx.a.test", RrType::a);
  add(message, "mx.a.test", RrType::a, kAddress, 120);
  add(message, "mx.a.test", RrType::a, kAddress, 60);
  add(message, "other.test", RrType::a, kAddress, 1);
  DnsReply reply = read(message, "mx.a.test", RrType::a);
  CHECK(reply.status == DnsStatus::ok);
  CHECK(reply.secure);
  CHECK(reply.ttl == 60s);
  REQUIRE(reply.addresses.size() == 2);
  CHECK(reply.addresses[0].to_string() == "192.0.2.1");
  message.authentic = false;
  CHECK_FALSE(read(message, "mx.a.test", RrType::a).secure);
}

TEST_CASE("an rcode other than NOERROR and NXDOMAIN is a failure and never an empty answer") {
  for (const std::uint16_t rcode : {1, 2, 4, 5, 6, 9, 11, 23}) {
    DnsMessage message = message_for("a.test", RrType::tlsa);
    message.rcode = rcode;
    const DnsReply reply = read(message, "a.test", RrType::tlsa);
    CHECK(reply.failed());
    CHECK_FALSE(reply.own_fault);
    CHECK_FALSE(reply.secure);
  }
  DnsMessage message = message_for("a.test", RrType::tlsa);
  message.rcode = 2;
  CHECK(read(message, "a.test", RrType::tlsa).why == "SERVFAIL");
  message.rcode = 23;
  CHECK(read(message, "a.test", RrType::tlsa).why == "RCODE 23");
}

TEST_CASE("a truncated or malformed message is a failure") {
  DnsMessage message = message_for("a.test", RrType::a);
  add(message, "a.test", RrType::a, kAddress);
  message.truncated = true;
  CHECK(read(message, "a.test", RrType::a).failed());
  message.truncated = false;
  CHECK_FALSE(read(message, "a.test", RrType::a).failed());
  message.malformed = true;
  CHECK(read(message, "a.test", RrType::a).failed());
}

TEST_CASE("the answer to another question is a failure") {
  const DnsMessage message = message_for("b.test", RrType::a);
  CHECK(read(message, "a.test", RrType::a).failed());
  CHECK(read(message, "b.test", RrType::aaaa).failed());
  CHECK(read(message, "b.test", RrType::a).status == DnsStatus::nodata);
  DnsMessage chaos = message;
  chaos.question_class = 3;
  CHECK(read(chaos, "b.test", RrType::a).failed());
}

TEST_CASE("a denial is secure by AD and lives by its SOA") {
  DnsMessage message = message_for("_25._tcp.mx.a.test", RrType::tlsa);
  message.negative_ttl = 900;
  DnsReply reply = read(message, "_25._tcp.mx.a.test", RrType::tlsa);
  CHECK(reply.status == DnsStatus::nodata);
  CHECK(reply.secure);
  CHECK(reply.ttl == 900s);
  message.rcode = 3;
  message.authentic = false;
  reply = read(message, "_25._tcp.mx.a.test", RrType::tlsa);
  CHECK(reply.status == DnsStatus::nxdomain);
  CHECK_FALSE(reply.secure);
}

TEST_CASE("a denial without a SOA has no life of its own") {
  const DnsReply reply = read(message_for("a.test", RrType::mx), "a.test", RrType::mx);
  CHECK(reply.status == DnsStatus::nodata);
  CHECK(reply.ttl == 0s);
}

TEST_CASE("aliases are followed from the question's name, in any order of records") {
  DnsMessage message = message_for("a.test", RrType::a);
  add(message, "c.test", RrType::a, kAddress, 300);
  add_alias(message, "b.test", "C.test", 20);
  add_alias(message, "a.test", "b.test", 100);
  const DnsReply reply = read(message, "a.test", RrType::a);
  CHECK(reply.status == DnsStatus::ok);
  CHECK(reply.aliases == std::vector<std::string>{"b.test", "c.test"});
  CHECK(reply.addresses.size() == 1);
  CHECK(reply.ttl == 20s);
}

TEST_CASE("records beside the alias chain are ignored") {
  DnsMessage message = message_for("a.test", RrType::a);
  add_alias(message, "a.test", "b.test");
  add(message, "a.test", RrType::a, kAddress);
  add(message, "c.test", RrType::a, kAddress);
  message.negative_ttl = 60;
  CHECK(read(message, "a.test", RrType::a).status == DnsStatus::nodata);
}

TEST_CASE("alias chains are bounded at eight") {
  DnsMessage message = message_for("n0.test", RrType::a);
  for (int i = 0; i < 8; ++i) {
    add_alias(message, "n" + std::to_string(i) + ".test", "n" + std::to_string(i + 1) + ".test");
  }
  add(message, "n8.test", RrType::a, kAddress);
  CHECK(read(message, "n0.test", RrType::a).aliases.size() == 8);
  message.answer.pop_back();
  add_alias(message, "n8.test", "n9.test");
  add(message, "n9.test", RrType::a, kAddress);
  const DnsReply reply = read(message, "n0.test", RrType::a);
  CHECK(reply.failed());
  CHECK(reply.why == "alias chain too long");
}

TEST_CASE("a loop of aliases, several aliases of one name and a loose end are failures") {
  DnsMessage loop = message_for("a.test", RrType::a);
  add_alias(loop, "a.test", "b.test");
  add_alias(loop, "b.test", "a.test");
  CHECK(read(loop, "a.test", RrType::a).why == "alias loop");

  DnsMessage fork = message_for("a.test", RrType::a);
  add_alias(fork, "a.test", "b.test");
  add_alias(fork, "a.test", "c.test");
  add(fork, "b.test", RrType::a, kAddress);
  add(fork, "c.test", RrType::a, kAddress);
  CHECK(read(fork, "a.test", RrType::a).why == "several aliases of one name");

  DnsMessage loose = message_for("a.test", RrType::tlsa);
  add_alias(loose, "a.test", "b.test");
  CHECK(read(loose, "a.test", RrType::tlsa).why == "alias leads nowhere");
  loose.negative_ttl = 60;
  CHECK(read(loose, "a.test", RrType::tlsa).status == DnsStatus::nodata);
  loose.negative_ttl.reset();
  loose.rcode = 3;
  CHECK(read(loose, "a.test", RrType::tlsa).status == DnsStatus::nxdomain);
}

TEST_CASE("NXDOMAIN beside records of the question is a failure") {
  DnsMessage message = message_for("a.test", RrType::a);
  add(message, "a.test", RrType::a, kAddress);
  message.rcode = 3;
  CHECK(read(message, "a.test", RrType::a).failed());
}

TEST_CASE("MX targets come in presentation form, the null MX as a dot") {
  DnsMessage message = message_for("a.test", RrType::mx);
  add_name(message, "a.test", RrType::mx, std::string(1, '\0'));
  add_name(message, "a.test", RrType::mx, to_wire(domain("mx.a.test")));
  add_name(message, "a.test", RrType::mx,
           std::string("\x05"
                       "a.b\\\x00"
                       "\x04"
                       "test"
                       "\x00",
                       12));
  const DnsReply reply = read(message, "a.test", RrType::mx);
  REQUIRE(reply.mx.size() == 3);
  CHECK(reply.mx[0] == MxRecord{10, "."});
  CHECK(reply.mx[1] == MxRecord{10, "mx.a.test"});
  CHECK(reply.mx[2].target == "a\\046b\\092\\000.test");
}

TEST_CASE("every MX record is kept, so that nobody decides on a part of them") {
  DnsMessage message = message_for("a.test", RrType::mx);
  for (int i = 0; i < 3000; ++i) {
    add_name(message, "a.test", RrType::mx, to_wire(domain("m" + std::to_string(i) + ".test")));
  }
  CHECK(read(message, "a.test", RrType::mx).mx.size() == 3000);
}

TEST_CASE("TLSA records that are too short or too long are there, without data") {
  DnsMessage message = message_for("a.test", RrType::tlsa);
  add(message, "a.test", RrType::tlsa, std::string("\x03\x01\x01") + std::string(32, 'x'));
  add(message, "a.test", RrType::tlsa, "\x03\x01");
  add(message, "a.test", RrType::tlsa, "");
  add(message, "a.test", RrType::tlsa, "\x02\x01\x02");
  const DnsReply reply = read(message, "a.test", RrType::tlsa);
  REQUIRE(reply.tlsa.size() == 4);
  CHECK(reply.tlsa[0] == TlsaRecord{3, 1, 1, std::vector<std::uint8_t>(32, 'x')});
  CHECK(reply.tlsa[1] == TlsaRecord{3, 1, 0, {}});
  CHECK(reply.tlsa[2] == TlsaRecord{0, 0, 0, {}});
  CHECK(reply.tlsa[3] == TlsaRecord{2, 1, 2, {}});
}

TEST_CASE("an address of the wrong length is a failure") {
  DnsMessage message = message_for("a.test", RrType::a);
  add(message, "a.test", RrType::a, "\x7f\x01");
  CHECK(read(message, "a.test", RrType::a).failed());
}

TEST_CASE("the CNAME itself can be asked for") {
  DnsMessage message = message_for("a.test", RrType::cname);
  add_alias(message, "a.test", "b.test", 50);
  add_alias(message, "b.test", "c.test");
  DnsReply reply = read(message, "a.test", RrType::cname);
  CHECK(reply.status == DnsStatus::ok);
  CHECK(reply.cname == domain("b.test"));
  CHECK(reply.aliases == std::vector<std::string>{"b.test"});
  CHECK(reply.ttl == 50s);

  DnsMessage odd = message_for("a.test", RrType::cname);
  add_name(odd, "a.test", RrType::cname,
           std::string("\x03"
                       "a b"
                       "\x00",
                       5));
  reply = read(odd, "a.test", RrType::cname);
  CHECK(reply.status == DnsStatus::ok);
  CHECK_FALSE(reply.cname);
}

TEST_CASE("a TTL with its highest bit set counts as zero") {
  DnsMessage message = message_for("a.test", RrType::a);
  add(message, "a.test", RrType::a, kAddress, 0x80000000u);
  CHECK(read(message, "a.test", RrType::a).ttl == 0s);
}

TEST_CASE("a domain in wire form ends with the root label, and folding leaves lengths alone") {
  CHECK(to_wire(domain("a.test")) == std::string("\1a\4test", 7) + std::string(1, '\0'));
  CHECK(fold_wire("\3AbC") == "\3abc");
}

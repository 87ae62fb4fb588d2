// SPDX-License-Identifier: Apache-2.0
#include "policy/next_hop.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace sealane;
using Why = NoNextHop::Why;

namespace {

/// The canonical text of a key that names a destination, or "no destination".
std::string text_of(const ParsedKey& key) {
  const auto* hop = std::get_if<NextHop>(&key);
  return hop != nullptr ? hop->text() : "no destination";
}

std::string canonical(std::string_view key) { return text_of(parse_next_hop(key)); }

void check_none(const ParsedKey& parsed, Why why, bool temporary) {
  const auto* none = std::get_if<NoNextHop>(&parsed);
  REQUIRE(none != nullptr);
  CHECK(none->why == why);
  CHECK(none->temporary() == temporary);
  CHECK_FALSE(none->text.empty());
}

}  // namespace

TEST_CASE("each form of a key with a name has one canonical text") {
  const std::vector<std::pair<const char*, const char*>> rows{
      {"example.com", "example.com"},
      {"EXAMPLE.com.", "example.com"},
      {"example.com:25", "example.com"},
      {"example.com:", "example.com"},
      {"example.com:025", "example.com"},
      {"example.com:587", "example.com:587"},
      {"example.com:1", "example.com:1"},
      {"example.com:65535", "example.com:65535"},
      {"[mx.example.com]", "[mx.example.com]"},
      {"[MX.example.com.]:25", "[mx.example.com]"},
      {"[mx.example.com]:", "[mx.example.com]"},
      {"[mx.example.com]:587", "[mx.example.com]:587"},
      {"b\xc3\xbc"
       "cher.example",
       "xn--bcher-kva.example"},
      {"[b\xc3\xbc"
       "cher.example]:587",
       "[xn--bcher-kva.example]:587"},
      {"localhost", "localhost"},
      {"_x.example.com", "_x.example.com"},
  };
  for (const auto& row : rows) CHECK_MESSAGE(canonical(row.first) == row.second, row.first);
}

TEST_CASE("a canonical text reads back as the same next-hop") {
  for (const char* key : {"example.com", "example.com:587", "[mx.example.com]", "[a.b]:465"}) {
    const ParsedKey parsed = parse_next_hop(key);
    REQUIRE(std::holds_alternative<NextHop>(parsed));
    CHECK(std::get<NextHop>(parse_next_hop(text_of(parsed))) == std::get<NextHop>(parsed));
  }
}

TEST_CASE("a port may be the name of a TCP service, in any case") {
  CHECK(canonical("example.com:smtp") == "example.com");
  CHECK(canonical("example.com:SMTP") == "example.com");
  CHECK(canonical("example.com:smtps") == "example.com:465");
  CHECK(canonical("example.com:submission") == "example.com:587");
  CHECK(canonical("[example.com]:submissions") == "[example.com]:465");
}

TEST_CASE("a port that is no port is temporary, never 'no policy'") {
  for (const char* key : {"example.com:0", "example.com:65536", "example.com:99999999999999999999",
                          "example.com:no-such-service-here", "[mx.example.com]:-1",
                          "example.com:2 5", "example.com:+25", "example.com:\xc3\xbc"}) {
    CAPTURE(std::string(key));
    check_none(parse_next_hop(key), Why::unknown_port, true);
  }
}

TEST_CASE("only port 25 is a matter of MTA-STS, in brackets too") {
  CHECK(std::get<NextHop>(parse_next_hop("example.com")).has_sts());
  CHECK(std::get<NextHop>(parse_next_hop("[mx.example.com]:25")).has_sts());
  CHECK_FALSE(std::get<NextHop>(parse_next_hop("example.com:587")).has_sts());
}

TEST_CASE("brackets mean that there is no MX lookup") {
  CHECK(std::get<NextHop>(parse_next_hop("example.com")).mx_lookup);
  CHECK_FALSE(std::get<NextHop>(parse_next_hop("[example.com]")).mx_lookup);
}

TEST_CASE("address literals are recognised in every spelling") {
  for (const char* key :
       {"[192.0.2.1]", "[192.0.2.1]:587", "192.0.2.1", "192.0.2.1:25", "192.0.2.1.", "[::1]",
        "[::1]:25", "[IPv6:2001:db8::1]", "[ipv6:2001:db8::1]:25", "2001:db8::1", "::1",
        "\xef\xbc\x91"
        "92.0.2.1"}) {
    CAPTURE(std::string(key));
    check_none(parse_next_hop(key), Why::address_literal, false);
  }
}

TEST_CASE("a key that begins with a dot is a parent domain, whatever follows") {
  for (const char* key : {".example.com", ".com", ".b\xc3\xbc.example", ".example.com:25"}) {
    CAPTURE(std::string(key));
    check_none(parse_next_hop(key), Why::parent_domain, false);
  }
}

TEST_CASE("an empty key is empty") { check_none(parse_next_hop(""), Why::empty, false); }

TEST_CASE("ASCII that is no name is invalid for good") {
  for (const char* key :
       {".", "a..b", "a b", "[", "[]", "[mx.example.com", "mx.example.com]", "[mx.example.com]x",
        "[mx.example.com]25", ":25", "[]:25", "a*b", "/var/run/lmtp", "user@example.com",
        "[.example.com]", "[IPv6:zz]", "[[mx.example.com]]", "a{b}", "a\nb"}) {
    CAPTURE(std::string(key));
    check_none(parse_next_hop(key), Why::invalid, false);
  }
  check_none(parse_next_hop(std::string_view("a\0b", 3)), Why::invalid, false);
}

TEST_CASE("non-ASCII that cannot be converted is temporary") {
  for (const char* key : {"\xff.example", "b\xc3", "b\xc3\xbc b.example", "[\xef\xbf\xbd]"}) {
    CAPTURE(std::string(key));
    check_none(parse_next_hop(key), Why::not_convertible, true);
  }
}

TEST_CASE("a name of 253 octets is looked up and one of 254 is too long") {
  const std::string labels =
      std::string(63, 'a') + "." + std::string(63, 'a') + "." + std::string(63, 'a') + ".";
  const std::string longest = labels + std::string(61, 'b');
  REQUIRE(longest.size() == 253);
  CHECK(canonical(longest) == longest);
  CHECK(canonical(longest + ".:587") == longest + ":587");
  check_none(parse_next_hop(longest + "b"), Why::too_long, false);
  check_none(parse_next_hop("[" + longest + "b]:25"), Why::too_long, false);
  check_none(parse_next_hop(std::string(64, 'a') + ".net"), Why::invalid, false);
}

TEST_CASE("a key of 1024 octets is still read and a longer one is not") {
  const std::string key = "a.net:" + std::string(kMaxKeyLength - 6, '0');
  check_none(parse_next_hop(key), Why::unknown_port, true);
  check_none(parse_next_hop(key + "0"), Why::too_long, false);
}

TEST_CASE("what is said about a key has no foreign octets") {
  for (const char* key : {"a\x1b]0;x.net", "example.com:\x07", "b\xc3\x1b", ".\x1b"}) {
    const ParsedKey parsed = parse_next_hop(key);
    const auto* none = std::get_if<NoNextHop>(&parsed);
    REQUIRE(none != nullptr);
    for (char c : none->text) CHECK((c >= ' ' && c <= '~'));
  }
}

TEST_CASE("a requiretls key is a bare name and always has an MX step") {
  const ParsedKey parsed = parse_requiretls_key("XN--Bcher-kva.example.");
  REQUIRE(std::holds_alternative<NextHop>(parsed));
  CHECK(std::get<NextHop>(parsed).text() == "xn--bcher-kva.example");
  CHECK(std::get<NextHop>(parsed).mx_lookup);
  check_none(parse_requiretls_key("[mx.example.com]"), Why::invalid, false);
  check_none(parse_requiretls_key("example.com:25"), Why::invalid, false);
  check_none(parse_requiretls_key("192.0.2.1"), Why::address_literal, false);
  check_none(parse_requiretls_key(""), Why::empty, false);
  check_none(parse_requiretls_key(".example.com"), Why::parent_domain, false);
}

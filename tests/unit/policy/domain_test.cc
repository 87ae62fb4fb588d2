// SPDX-License-Identifier: Apache-2.0
#include "policy/domain.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

using namespace sealane;

namespace {

std::string parsed(std::string_view text) {
  const auto domain = Domain::parse(text);
  return domain ? domain->text() : "error: " + domain.error();
}

std::string parsed_idn(std::string_view text) {
  const auto domain = Domain::parse_idn(text);
  return domain ? domain->text() : "error: " + domain.error();
}

bool refused(std::string_view text) { return !Domain::parse(text).has_value(); }

/// A name of exactly `size` octets, in labels of at most 63.
std::string name_of_size(std::size_t size) {
  std::string name;
  while (size - name.size() > 64) name += std::string(63, 'a') + ".";
  return name + std::string(size - name.size(), 'b');
}

}  // namespace

TEST_CASE("a name is folded to lower case and loses one trailing dot") {
  CHECK(parsed("MX.Example.NET") == "mx.example.net");
  CHECK(parsed("mx.example.net.") == "mx.example.net");
  CHECK(refused("mx.example.net.."));
}

TEST_CASE("letters, digits, hyphen and underscore are the whole alphabet") {
  CHECK(parsed("_25._tcp.mx-1.a0") == "_25._tcp.mx-1.a0");
  CHECK(parsed("-a-.b-") == "-a-.b-");
  for (const char* text :
       {"a b", "a,b", "*.a", "a/b", "a:b", "a@b", "{a}", "a\\b", "a\tb", "a\n"}) {
    CHECK_MESSAGE(refused(text), text);
  }
}

TEST_CASE("every octet outside the alphabet is refused, NUL and high octets too") {
  const std::string_view allowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
  for (int octet = 0; octet < 256; ++octet) {
    const char c = static_cast<char>(octet);
    const std::string name = std::string("a") + c + "b";
    CHECK_MESSAGE(refused(name) == (allowed.find(c) == std::string_view::npos), octet);
  }
}

TEST_CASE("empty names and empty labels are refused") {
  for (const char* text : {"", ".", "..", ".a", "a..b"}) CHECK_MESSAGE(refused(text), text);
}

TEST_CASE("a label has at most 63 octets") {
  CHECK_FALSE(refused(std::string(63, 'a') + ".net"));
  CHECK(refused(std::string(64, 'a') + ".net"));
}

TEST_CASE("a name has at most 253 octets, not counting the root dot") {
  REQUIRE(name_of_size(253).size() == 253);
  CHECK_FALSE(refused(name_of_size(253)));
  CHECK_FALSE(refused(name_of_size(253) + "."));
  CHECK(refused(name_of_size(254)));
}

TEST_CASE("an error text shows foreign octets escaped") {
  const std::string text = parsed("a\x1b[31m.net");
  CHECK(text.find('\x1b') == std::string::npos);
  CHECK(text.find("\\x1b") != std::string::npos);
}

TEST_CASE("U-labels become A-labels, non-transitionally") {
  CHECK(parsed_idn("b\xc3\xbc"
                   "cher.example") == "xn--bcher-kva.example");
  CHECK(parsed_idn("B\xc3\x9c"
                   "CHER.Example.") == "xn--bcher-kva.example");
  // IDNA2003 and the transitional mapping would make "strasse" of it: another domain.
  CHECK(parsed_idn("stra\xc3\x9f"
                   "e.example") == "xn--strae-oqa.example");
  // U+4F8B U+3048, then the ideographic full stop U+3002 as the separator.
  CHECK(parsed_idn("\xe4\xbe\x8b\xe3\x81\x88\xe3\x80\x82"
                   "example") == "xn--r8jz45g.example");
}

TEST_CASE("full-width letters and dots map to the ASCII name they look like") {
  CHECK(parsed_idn("\xef\xbd\x8d\xef\xbd\x98\xef\xbc\x8e"
                   "example") == "mx.example");
}

TEST_CASE("an ASCII name never reaches the IDN library") {
  // ICU would refuse each of these: a broken A-label, and hyphens in places 3 and 4.
  CHECK(parsed_idn("xn--zzzzzzzzzz99999.example") == "xn--zzzzzzzzzz99999.example");
  CHECK(parsed_idn("ab--cd.example") == "ab--cd.example");
}

TEST_CASE("a non-ASCII name without an A-label form is refused") {
  CHECK_FALSE(Domain::parse_idn("b\xc3").has_value());                 // cut UTF-8
  CHECK_FALSE(Domain::parse_idn("\xff.example").has_value());          // no UTF-8
  CHECK_FALSE(Domain::parse_idn("b\xc3\xbc c.example").has_value());   // blank
  CHECK_FALSE(Domain::parse_idn("\xef\xbf\xbd.example").has_value());  // U+FFFD
  CHECK_FALSE(Domain::parse_idn("-b\xc3\xbc.example").has_value());    // leading hyphen
  CHECK_FALSE(Domain::parse_idn("xn--zzzzzzzzzz99999.b\xc3\xbc").has_value());
}

TEST_CASE("NUL is refused, whichever way it comes") {
  CHECK(refused(std::string_view("a\0b", 3)));
  CHECK_FALSE(Domain::parse_idn(std::string_view("b\xc3\xbc\0c", 5)).has_value());
}

TEST_CASE("a full-width name cannot smuggle in characters that are no part of a name") {
  CHECK_FALSE(Domain::parse_idn("a\xef\xbc\x9a"
                                "25")
                  .has_value());  // full-width colon
  CHECK_FALSE(Domain::parse_idn("a\xef\xbc\x8f"
                                "b")
                  .has_value());  // full-width solidus
}

TEST_CASE("a converted label is bounded like any other") {
  std::string label;
  for (int i = 0; i < 63; ++i) label += "\xc3\xbc";
  CHECK_FALSE(Domain::parse_idn(label + ".example").has_value());
  CHECK_FALSE(Domain::parse_idn(std::string(2000, '\xc3')).has_value());
}

TEST_CASE("a prefix is put before a name unless the result is too long") {
  const Domain host = *Domain::parse("mx.example.net");
  const auto below = host.below("_25._tcp");
  REQUIRE(below.has_value());
  CHECK(below->text() == "_25._tcp.mx.example.net");
  const Domain longest = *Domain::parse(name_of_size(244));
  CHECK(longest.below("_25._tcp").has_value());
  CHECK_FALSE(Domain::parse(name_of_size(245))->below("_25._tcp").has_value());
  CHECK_FALSE(host.below("").has_value());
}

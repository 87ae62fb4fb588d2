// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"

#include <doctest/doctest.h>

using namespace sealane;

TEST_CASE("escaping leaves printable ASCII alone and shows every other octet") {
  CHECK(escape("mx.example.net") == "mx.example.net");
  CHECK(escape("a\x1b[31m\n\xc3\xa9\\") == "a\\x1b[31m\\x0a\\xc3\\xa9\\x5c");
}

TEST_CASE("escaping cuts at the limit and says so") {
  CHECK(escape(std::string(256, 'a')) == std::string(256, 'a'));
  CHECK(escape(std::string(257, 'a')) == std::string(256, 'a') + "...");
}

TEST_CASE("text that is escaped already keeps its backslashes, and nothing else gets through") {
  CHECK(escape_again("a\\x1b[31m") == "a\\x1b[31m");
  CHECK(escape_again("a\x1b\x7f\x9b\n") == "a\\x1b\\x7f\\x9b\\x0a");
  CHECK(escape_again("abcd", 3) == "abc...");
}

TEST_CASE("JSON becomes printable ASCII and means the same") {
  CHECK(ascii_json(R"({"a":"b\\c\u0001"})") == R"({"a":"b\\c\u0001"})");
  CHECK(ascii_json("[\"\xc3\xbc\xe2\x80\xae\x7f\"]") == R"(["\u00fc\u202e\u007f"])");
  CHECK(ascii_json("[\"\xf0\x9f\x93\xae\"]") == R"(["\ud83d\udcee"])");
  CHECK(ascii_json("[\"\xc2\x9b\"]") == R"(["\u009b"])");
}

TEST_CASE("octets in JSON that are no UTF-8 become the replacement character") {
  CHECK(ascii_json("[\"a\x9b\xff\"]") == R"(["a\ufffd\ufffd"])");
  CHECK(ascii_json("[\"\xed\xa0\x80\"]") == R"(["\ufffd\ufffd\ufffd"])");
}

TEST_CASE("a decimal is digits only and at most the maximum") {
  CHECK(parse_decimal("65535", 65535) == 65535u);
  CHECK_FALSE(parse_decimal("65536", 65535));
  CHECK_FALSE(parse_decimal("", 9));
  CHECK_FALSE(parse_decimal("+1", 9));
  CHECK_FALSE(parse_decimal(" 1", 9));
  CHECK_FALSE(parse_decimal("99999999999999999999999", UINT64_MAX));
}

TEST_CASE("hexadecimal text round-trips and odd or foreign digits are refused") {
  const std::vector<std::uint8_t> octets{0x00, 0xab, 0xff};
  CHECK(to_hex(octets) == "00abff");
  CHECK(from_hex("00ABff") == octets);
  CHECK_FALSE(from_hex("abc"));
  CHECK_FALSE(from_hex("0x"));
  CHECK_FALSE(from_hex("+1"));
}

TEST_CASE("splitting keeps empty pieces and words drops them") {
  CHECK(split("a::b", ':') == std::vector<std::string_view>{"a", "", "b"});
  CHECK(split("", ':') == std::vector<std::string_view>{""});
  CHECK(words("  a \t b ") == std::vector<std::string_view>{"a", "b"});
}

TEST_CASE("an address is what inet_pton reads and a NUL does not shorten it") {
  CHECK(is_ip_address("192.0.2.1"));
  CHECK(is_ip_address("2001:db8::1"));
  CHECK_FALSE(is_ip_address("192.0.2"));
  CHECK_FALSE(is_ip_address(std::string_view("192.0.2.1\0x", 11)));
}

TEST_CASE("UTF-8 is well formed: no overlong form, no surrogate, nothing above U+10FFFF") {
  constexpr auto kNone = std::string_view::npos;
  CHECK(find_bad_utf8("plain") == kNone);
  CHECK(find_bad_utf8("b\xc3\xbc\xe2\x82\xac\xf0\x9f\x93\xa8") == kNone);
  CHECK(find_bad_utf8("a\xff") == 1);
  CHECK(find_bad_utf8("ab\xc3") == 2);
  CHECK(find_bad_utf8("\xc0\x80") == 0);
  CHECK(find_bad_utf8("\xe0\x9f\xbf") == 0);
  CHECK(find_bad_utf8("\xed\xa0\x80") == 0);
  CHECK(find_bad_utf8("\xf4\x90\x80\x80") == 0);
}

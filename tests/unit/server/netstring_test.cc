// SPDX-License-Identifier: Apache-2.0
#include "server/netstring.h"

#include <doctest/doctest.h>

#include <string>

using namespace sealane;
using Status = Netstring::Status;

namespace {
Status status_of(std::string_view text) { return parse_netstring(text).status; }
std::string netstring(std::string_view payload) {
  std::string out;
  append_netstring(out, payload);
  return out;
}
}  // namespace

TEST_CASE("a request is read wherever the network splits it") {
  const std::string request = "27:postfix partner.example.net,";
  for (std::size_t part = 0; part < request.size(); ++part) {
    CAPTURE(part);
    CHECK(status_of(std::string_view(request).substr(0, part)) == Status::incomplete);
  }
  const std::string two = request + "5:extra";
  const Netstring whole = parse_netstring(two);
  CHECK(whole.status == Status::complete);
  CHECK(whole.payload == "postfix partner.example.net");
  CHECK(whole.consumed == request.size());
}

TEST_CASE("a payload may hold any octets, commas and colons too") {
  using namespace std::string_literals;
  for (const std::string& payload :
       {""s, ","s, "3:a,"s, "\0\xff\n"s, std::string(kMaxRequest, 'x')}) {
    const std::string text = netstring(payload);
    const Netstring read = parse_netstring(text);
    CHECK(read.status == Status::complete);
    CHECK(read.payload == payload);
    CHECK(read.consumed == text.size());
  }
}

TEST_CASE("a length at the limit is read and one past it is refused before its payload arrives") {
  CHECK(status_of("10240:") == Status::incomplete);
  CHECK(status_of("10241") == Status::junk);
  CHECK(status_of("10241:") == Status::junk);
  CHECK(status_of("99999") == Status::junk);
  CHECK(parse_netstring("100000:", 100'000).status == Status::incomplete);
}

TEST_CASE("seven digits are refused, whatever the limit") {
  CHECK(parse_netstring("999999", 10'000'000).status == Status::incomplete);
  CHECK(parse_netstring("9999990", 10'000'000).status == Status::junk);
  CHECK(status_of("00000000000000000000000000000001:x,") == Status::junk);
}

TEST_CASE("leading zeros, blanks, signs and other junk are refused at once") {
  CHECK(status_of("0:,") == Status::complete);
  CHECK(status_of("00") == Status::junk);
  CHECK(status_of("03:abc,") == Status::junk);
  CHECK(status_of(" 3:abc,") == Status::junk);
  CHECK(status_of("+3:abc,") == Status::junk);
  CHECK(status_of("-3:abc,") == Status::junk);
  CHECK(status_of("3 :abc,") == Status::junk);
  CHECK(status_of(":abc,") == Status::junk);
  CHECK(status_of("get /") == Status::junk);
  CHECK(status_of("\n") == Status::junk);
  CHECK(status_of("3;abc,") == Status::junk);
}

TEST_CASE("only a comma ends a netstring") {
  CHECK(status_of("3:abc\n") == Status::junk);
  CHECK(status_of("3:abcd") == Status::junk);
  CHECK(status_of("3:ab,,") == Status::complete);
  CHECK(status_of("3:abc") == Status::incomplete);
}

TEST_CASE("the writer counts octets") {
  CHECK(netstring("NOTFOUND ") == "9:NOTFOUND ,");
  CHECK(netstring("") == "0:,");
  CHECK(netstring("b\xc3\xbc") == "3:b\xc3\xbc,");
}

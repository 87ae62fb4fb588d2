// SPDX-License-Identifier: Apache-2.0
#include "adapters/https/address_filter.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace sealane {
namespace {

std::string judge(const AddressFilter& filter, const std::string& address) {
  return std::string(filter.refusal(boost::asio::ip::make_address(address)).value_or("fine"));
}

AddressFilter filter_with(const std::vector<std::string>& exceptions) {
  auto filter = AddressFilter::create(exceptions);
  REQUIRE_MESSAGE(filter.has_value(), filter.error());
  return *filter;
}

struct Row {
  const char* address;
  const char* verdict;
};

TEST_CASE("only global unicast addresses pass, up to the borders of each range") {
  const AddressFilter filter = filter_with({});
  const Row rows[] = {
      {"0.0.0.0", "this network"},
      {"0.255.255.255", "this network"},
      {"1.0.0.0", "fine"},
      {"9.255.255.255", "fine"},
      {"10.0.0.0", "private"},
      {"10.255.255.255", "private"},
      {"11.0.0.0", "fine"},
      {"100.63.255.255", "fine"},
      {"100.64.0.0", "shared (carrier NAT)"},
      {"100.127.255.255", "shared (carrier NAT)"},
      {"100.128.0.0", "fine"},
      {"126.255.255.255", "fine"},
      {"127.0.0.1", "loopback"},
      {"127.255.255.255", "loopback"},
      {"128.0.0.0", "fine"},
      {"169.253.255.255", "fine"},
      {"169.254.169.254", "link-local"},
      {"169.255.0.0", "fine"},
      {"172.15.255.255", "fine"},
      {"172.16.0.0", "private"},
      {"172.31.255.255", "private"},
      {"172.32.0.0", "fine"},
      {"192.0.0.8", "protocol assignments"},
      {"192.0.1.0", "fine"},
      {"192.0.2.1", "documentation"},
      {"192.0.3.0", "fine"},
      {"192.88.99.1", "6to4 relay"},
      {"192.167.255.255", "fine"},
      {"192.168.0.1", "private"},
      {"192.169.0.0", "fine"},
      {"198.17.255.255", "fine"},
      {"198.18.0.0", "benchmarking"},
      {"198.19.255.255", "benchmarking"},
      {"198.20.0.0", "fine"},
      {"198.51.100.7", "documentation"},
      {"203.0.113.7", "documentation"},
      {"223.255.255.255", "fine"},
      {"224.0.0.1", "multicast"},
      {"239.255.255.255", "multicast"},
      {"240.0.0.1", "reserved"},
      {"255.255.255.255", "reserved"},
      {"::", "unspecified"},
      {"::1", "loopback"},
      {"::2", "not global unicast"},
      {"::8.8.8.8", "not global unicast"},
      {"100::1", "discard"},
      {"1fff:ffff::", "not global unicast"},
      {"2001::1", "Teredo"},
      {"2001:0:ffff::1", "Teredo"},
      {"2001:2::1", "protocol assignments"},
      {"2001:1ff:ffff::", "protocol assignments"},
      {"2001:200::1", "fine"},
      {"2001:db7::1", "fine"},
      {"2001:db8::1", "documentation"},
      {"2001:db9::1", "fine"},
      {"2606:4700::1111", "fine"},
      {"3fff::1", "documentation"},
      {"3fff:1000::1", "fine"},
      {"4000::1", "not global unicast"},
      {"5f00::1", "not global unicast"},
      {"fbff::1", "not global unicast"},
      {"fc00::1", "unique-local"},
      {"fdff::1", "unique-local"},
      {"fe80::1", "link-local"},
      {"febf::1", "link-local"},
      {"fec0::1", "site-local"},
      {"ff02::1", "multicast"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.address);
    CHECK(judge(filter, row.address) == row.verdict);
  }
}

TEST_CASE("an IPv6 address that carries an IPv4 address is judged by that") {
  const AddressFilter filter = filter_with({});
  const Row rows[] = {
      {"::ffff:127.0.0.1", "loopback"},
      {"::ffff:10.1.2.3", "private"},
      {"::ffff:8.8.8.8", "fine"},
      {"64:ff9b::127.0.0.1", "loopback"},
      {"64:ff9b::a9fe:a9fe", "link-local"},
      {"64:ff9b::8.8.8.8", "fine"},
      {"64:ff9b::1:0:0", "not global unicast"},
      {"64:ff9b:1::8.8.8.8", "local NAT64"},
      {"2002:7f00:1::1", "loopback"},
      {"2002:a00:1::1", "private"},
      {"2002:808:808::1", "fine"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.address);
    CHECK(judge(filter, row.address) == row.verdict);
  }
}

TEST_CASE("an exception allows its own range and nothing else") {
  const AddressFilter filter = filter_with({"10.1.0.0/16", "127.0.0.5", "fd00:1::/32", "::1"});
  const Row rows[] = {
      {"10.1.255.255", "fine"},  {"10.2.0.0", "private"},     {"127.0.0.5", "fine"},
      {"127.0.0.6", "loopback"}, {"fd00:1:ffff::1", "fine"},  {"fd00:2::1", "unique-local"},
      {"::1", "fine"},           {"::ffff:10.1.0.1", "fine"}, {"::ffff:10.2.0.1", "private"}};
  for (const Row& row : rows) {
    CAPTURE(row.address);
    CHECK(judge(filter, row.address) == row.verdict);
  }
  CHECK(judge(filter_with({"0.0.0.0/0"}), "127.0.0.1") == "fine");
  CHECK(judge(filter_with({"0.0.0.0/0"}), "::1") == "loopback");
  CHECK(judge(filter_with({"::/0"}), "::ffff:10.0.0.1") == "fine");
}

TEST_CASE("an exception that cannot be read is named") {
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"", R"("" is not a network such as 10.0.0.0/8 or fd00::/8)"},
      {"localhost", R"("localhost" is not a network such as 10.0.0.0/8 or fd00::/8)"},
      {"10.0.0.0/8/9", R"("10.0.0.0/8/9" is not a network such as 10.0.0.0/8 or fd00::/8)"},
      {"10.0.0.0/33", R"("10.0.0.0/33": a prefix is 0 to 32)"},
      {"10.0.0.0/", R"("10.0.0.0/": a prefix is 0 to 32)"},
      {"10.0.0.0/-1", R"("10.0.0.0/-1": a prefix is 0 to 32)"},
      {"fd00::/129", R"("fd00::/129": a prefix is 0 to 128)"},
      {"10.1.2.3/8", R"("10.1.2.3/8": bits are set beyond the prefix; meant is 10.0.0.0/8)"},
      {"fd00::1/8", R"("fd00::1/8": bits are set beyond the prefix; meant is fd00::/8)"},
      {"\x1b[0m", R"("\x1b[0m" is not a network such as 10.0.0.0/8 or fd00::/8)"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.first);
    const auto filter = AddressFilter::create({row.first});
    REQUIRE_FALSE(filter.has_value());
    CHECK(filter.error() == row.second);
  }
}

}  // namespace
}  // namespace sealane

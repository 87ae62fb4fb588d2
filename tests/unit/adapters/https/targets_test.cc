// SPDX-License-Identifier: Apache-2.0
#include "adapters/https/targets.h"

#include "fakes.h"

namespace sealane {
namespace {

using Texts = std::vector<std::string>;

const AddressFilter& filter() {
  static const AddressFilter strict = AddressFilter::create({}).value();
  return strict;
}

Texts texts(const FoundTargets& found) {
  REQUIRE_MESSAGE(found.has_value(), found.error().text);
  Texts all;
  for (const auto& address : found->addresses) all.push_back(address.to_string());
  return all;
}

std::string failure_of(const FoundTargets& found) {
  REQUIRE_FALSE(found.has_value());
  return fmt::format("{}: {}", name_of(found.error().problem), found.error().text);
}

FoundTargets choose(const DnsReply& a, const DnsReply& aaaa) {
  return choose_targets(domain("mta-sts.example.net"), a, aaaa, &filter());
}

TEST_CASE("IPv6 and IPv4 addresses take turns, each once") {
  const auto a = dns_address(false, {"8.0.0.1", "8.0.0.2", "8.0.0.1", "8.0.0.3"});
  const auto aaaa = dns_address(false, {"2600::1", "2600::2"});
  CHECK(texts(choose(a, aaaa)) == Texts{"2600::1", "8.0.0.1", "2600::2", "8.0.0.2", "8.0.0.3"});
}

TEST_CASE("no more than eight addresses are tried") {
  Texts many;
  for (int i = 1; i <= 20; ++i) many.push_back("8.0.0." + std::to_string(i));
  CHECK(texts(choose(dns_address(false, many), dns_nodata(false))).size() == kMaxAddresses);
}

TEST_CASE("refused addresses are left out, and are the failure when none remains") {
  const auto mixed = dns_address(false, {"127.0.0.1", "8.0.0.1"});
  CHECK(texts(choose(mixed, dns_nodata(false))) == Texts{"8.0.0.1"});
  const auto a = dns_address(false, {"127.0.0.1", "10.0.0.1"});
  CHECK(failure_of(choose(a, dns_address(false, {"::1"}))) ==
        "address: mta-sts.example.net has no address that is allowed: ::1 (loopback), "
        "127.0.0.1 (loopback), 10.0.0.1 (private)");
  CHECK(failure_of(choose(a, dns_failed("timeout", true))).starts_with("own: "));
}

TEST_CASE("a family that failed matters only when the other has nothing") {
  const auto good = dns_address(false, {"8.0.0.1"});
  CHECK(texts(choose(good, dns_failed("SERVFAIL"))) == Texts{"8.0.0.1"});
  CHECK_FALSE(choose(good, dns_failed("SERVFAIL"))->own_gap);
  CHECK(choose(good, dns_failed("queue full", true))->own_gap);
  CHECK(failure_of(choose(dns_nodata(false), dns_failed("SERVFAIL"))) ==
        "dns: AAAA of mta-sts.example.net: SERVFAIL");
  CHECK(failure_of(choose(dns_failed("REFUSED"), dns_failed("SERVFAIL"))) ==
        "dns: A of mta-sts.example.net: REFUSED");
  CHECK(failure_of(choose(dns_nodata(false), dns_failed("queue full", true))) ==
        "own: AAAA of mta-sts.example.net: queue full");
}

TEST_CASE("no address and no such name are told apart") {
  CHECK(failure_of(choose(dns_nodata(false), dns_nodata(false))) ==
        "dns: mta-sts.example.net has no address");
  DnsReply nx = dns_nodata(false);
  nx.status = DnsStatus::nxdomain;
  CHECK(failure_of(choose(nx, nx)) == "dns: mta-sts.example.net does not exist");
}

TEST_CASE("both families are asked for, side by side") {
  FakeResolver resolver;
  resolver.replies["mta-sts.example.net A"] = dns_address(false, {"8.0.0.1"});
  resolver.replies["mta-sts.example.net AAAA"] = dns_address(false, {"2600::1"});
  const auto found =
      run(find_targets(resolver, domain("mta-sts.example.net"), "example.net", &filter()));
  CHECK(texts(found) == Texts{"2600::1", "8.0.0.1"});
  CHECK(resolver.asked == Texts{"mta-sts.example.net A", "mta-sts.example.net AAAA"});
}

TEST_CASE("a proxy is a host and a port") {
  const auto read = [](std::string_view text) {
    const auto proxy = parse_proxy(text);
    return proxy ? fmt::format("{} {}", proxy->host, proxy->port) : proxy.error();
  };
  CHECK(read("proxy.example:3128") == "proxy.example 3128");
  CHECK(read("127.0.0.1:1") == "127.0.0.1 1");
  CHECK(read("[::1]:65535") == "::1 65535");
  for (const char* bad : {"", "proxy", ":1", "proxy:", "proxy:0", "proxy:65536", "::1:80", "[::1]",
                          "http://proxy:80", "pro xy:80", "[proxy]:80"}) {
    CHECK(read(bad) == fmt::format("proxy \"{}\": expected host:port", bad));
  }
}

}  // namespace
}  // namespace sealane

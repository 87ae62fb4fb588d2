// SPDX-License-Identifier: Apache-2.0
#include "lookup/dane_lookup.h"

#include "fakes.h"

using namespace sealane;

namespace {

NextHop next_hop(std::string_view name, bool mx_lookup = true, std::uint16_t port = 25) {
  return NextHop{domain(name), mx_lookup, port};
}

/// A domain "a.test" with a signed MX to mx.a.test, whose parts each case replaces.
struct World {
  FakeResolver dns;
  Families families = Families::any;
  FakeClock clock;
  std::unique_ptr<DaneLookup> lookup;

  World() {
    mx({{10, "mx.a.test"}});
    address("mx.a.test", true);
    dns.replies["_25._tcp.mx.a.test TLSA"] = dns_tlsa(true, {tlsa_311()});
  }
  void mx(std::vector<MxRecord> records, bool secure = true) {
    dns.replies["a.test MX"] = dns_mx(secure, std::move(records));
  }
  void address(const std::string& name, bool secure, std::vector<std::string> aliases = {}) {
    DnsReply reply = dns_address(secure, {"192.0.2.1"});
    reply.aliases = std::move(aliases);
    dns.replies[name + " A"] = reply;
    dns.replies[name + " AAAA"] = dns_nodata(secure);
  }
  DaneFinding find(const NextHop& key = next_hop("a.test")) {
    if (!lookup) lookup = std::make_unique<DaneLookup>(dns, families, clock);
    boost::asio::io_context io;
    DaneFinding found = run(lookup->find_mx(key), io);
    return run(lookup->judge_hosts(key, std::move(found)), io);
  }
  HostFinding host() {
    const DaneFinding found = find();
    REQUIRE(found.hosts.size() == 1);
    return found.hosts.front();
  }
};

}  // namespace

TEST_CASE("a signed host with a usable TLSA record is DANE") {
  World world;
  const DaneFinding found = world.find();
  CHECK(found.mx == MxStatus::ok);
  CHECK(found.mx_secure);
  REQUIRE(found.hosts.size() == 1);
  CHECK(found.hosts[0].state == HostState::dane);
  CHECK(found.hosts[0].tlsa_base == domain("mx.a.test"));
  CHECK(found.hosts[0].addresses == std::vector<std::string>{"192.0.2.1"});
}

TEST_CASE("secure TLSA records of which none is usable are ENC, not none") {
  World world;
  world.dns.replies["_25._tcp.mx.a.test TLSA"] = dns_tlsa(true, {{1, 1, 1, {1, 2, 3}}});
  CHECK(world.host().state == HostState::enc);
}

TEST_CASE("proven absence of TLSA is NONE and insecure TLSA is NONE") {
  World world;
  world.dns.replies["_25._tcp.mx.a.test TLSA"] = dns_nodata(true);
  CHECK(world.host().state == HostState::none);
  world.dns.replies["_25._tcp.mx.a.test TLSA"] = dns_tlsa(false, {tlsa_311()});
  CHECK(world.host().state == HostState::none);
}

TEST_CASE("a failed TLSA lookup is ERR and the reason names it") {
  World world;
  world.dns.replies["_25._tcp.mx.a.test TLSA"] = dns_failed("SERVFAIL");
  const HostFinding host = world.host();
  CHECK(host.state == HostState::err);
  CHECK_FALSE(host.address_failed);
  CHECK(host.reason == "TLSA lookup for _25._tcp.mx.a.test failed (SERVFAIL)");
}

TEST_CASE("an insecure host is NONE and its TLSA is not asked for") {
  World world;
  world.address("mx.a.test", false);
  CHECK(world.host().state == HostState::none);
  CHECK(world.dns.count("_25._tcp.mx.a.test TLSA") == 0);
}

TEST_CASE("a failing AAAA lookup does not matter where A is proven insecure or secure") {
  World world;
  world.dns.replies["mx.a.test AAAA"] = dns_failed("SERVFAIL");
  CHECK(world.host().state == HostState::dane);
  world.dns.replies["mx.a.test A"] = dns_address(false, {"192.0.2.1"});
  CHECK(world.host().state == HostState::none);
}

TEST_CASE("a failing address lookup without any address is ERR, and no address at all is DEAD") {
  World world;
  world.dns.replies["mx.a.test A"] = dns_failed("timeout");
  HostFinding host = world.host();
  CHECK(host.state == HostState::err);
  CHECK(host.address_failed);
  CHECK(host.reason == "address lookup for mx.a.test failed (timeout)");
  world.dns.replies["mx.a.test A"] = dns_nodata(true);
  CHECK(world.host().state == HostState::dead);
}

TEST_CASE("an address error counts as lasting after three failures over fifteen minutes") {
  World world;
  world.dns.replies["mx.a.test A"] = dns_failed("timeout");
  CHECK_FALSE(world.host().address_bound_reached);
  world.clock.advance(std::chrono::minutes{8});
  CHECK_FALSE(world.host().address_bound_reached);
  world.clock.advance(std::chrono::minutes{7});
  CHECK(world.host().address_bound_reached);
  world.address("mx.a.test", true);
  CHECK(world.host().state == HostState::dane);
  world.dns.replies["mx.a.test A"] = dns_failed("timeout");
  world.dns.replies["mx.a.test AAAA"] = dns_failed("timeout");
  CHECK_FALSE(world.host().address_bound_reached);
}

TEST_CASE("only the families in use are asked") {
  World world;
  world.families = Families::ipv6;
  CHECK(world.host().state == HostState::dead);
  CHECK(world.dns.count("mx.a.test A") == 0);
}

TEST_CASE("behind a secure alias the expanded name is the TLSA base and the alias comes second") {
  World world;
  world.address("mx.a.test", true, {"web.b.test", "host.b.test"});
  world.dns.replies["_25._tcp.host.b.test TLSA"] = dns_tlsa(true, {tlsa_311()});
  CHECK(world.host().tlsa_base == domain("host.b.test"));
  CHECK(world.dns.count("_25._tcp.mx.a.test TLSA") == 0);

  world.dns.replies["_25._tcp.host.b.test TLSA"] = dns_nodata(true);
  HostFinding host = world.host();
  CHECK(host.state == HostState::dane);
  CHECK(host.tlsa_base == domain("mx.a.test"));
}

TEST_CASE("an error at the expanded name is ERR and unusable records there end the search") {
  World world;
  world.address("mx.a.test", true, {"host.b.test"});
  world.dns.replies["_25._tcp.host.b.test TLSA"] = dns_failed("SERVFAIL");
  CHECK(world.host().state == HostState::err);
  world.dns.replies["_25._tcp.host.b.test TLSA"] = dns_tlsa(true, {{9, 9, 9, {1}}});
  CHECK(world.host().state == HostState::enc);
  CHECK(world.dns.count("_25._tcp.mx.a.test TLSA") == 0);
}

TEST_CASE("a secure alias of an insecure target has its TLSA at the alias") {
  World world;
  world.address("mx.a.test", false, {"host.b.test"});
  world.dns.replies["mx.a.test CNAME"] = dns_ok(true);
  HostFinding host = world.host();
  CHECK(host.state == HostState::dane);
  CHECK(host.tlsa_base == domain("mx.a.test"));
  CHECK(world.dns.count("_25._tcp.host.b.test TLSA") == 0);
}

TEST_CASE("when the alias itself is insecure the host is NONE, and when it fails ERR") {
  World world;
  world.address("mx.a.test", false, {"host.b.test"});
  world.dns.replies["mx.a.test CNAME"] = dns_ok(false);
  CHECK(world.host().state == HostState::none);
  world.dns.replies["mx.a.test CNAME"] = dns_failed("SERVFAIL");
  CHECK(world.host().state == HostState::err);
}

TEST_CASE("MX targets are sorted by preference and equal names are merged with the best one") {
  World world;
  world.mx({{30, "b.a.test"}, {20, "C.a.test"}, {10, "b.a.test"}, {40, "c.a.test"}});
  const DaneFinding found = world.find();
  REQUIRE(found.hosts.size() == 2);
  CHECK(found.hosts[0].name == "b.a.test");
  CHECK(found.hosts[0].preference == 10);
  CHECK(found.hosts[1].name == "c.a.test");
  CHECK(found.hosts[1].preference == 20);
}

TEST_CASE("the root as only target is null MX and beside others it is dropped") {
  World world;
  world.mx({{0, "."}});
  CHECK(world.find().mx == MxStatus::null);
  world.mx({{0, "."}, {10, "mx.a.test"}});
  const DaneFinding found = world.find();
  CHECK(found.mx == MxStatus::ok);
  CHECK(found.hosts.size() == 1);
}

TEST_CASE("an address as MX target is a host without DANE") {
  World world;
  world.mx({{10, "192.0.2.7"}});
  const HostFinding host = world.host();
  CHECK(host.state == HostState::none);
  CHECK_FALSE(host.domain);
}

TEST_CASE("when no MX target is a possible name the destination is unknown, not implicit") {
  World world;
  world.mx({{10, "m\\032x.a.test"}, {20, "bad..test"}});
  CHECK(world.find().mx == MxStatus::error);
}

TEST_CASE("fifty hosts are judged and fifty-one are not") {
  World world;
  std::vector<MxRecord> records;
  for (std::size_t i = 0; i < kMaxMxHosts; ++i) {
    records.push_back({10, fmt::format("mx{}.a.test", i)});
  }
  world.mx(records);
  CHECK(world.find().hosts.size() == kMaxMxHosts);
  records.push_back({10, "one-more.a.test"});
  world.mx(records);
  const DaneFinding found = world.find();
  CHECK(found.too_many_hosts);
  CHECK(found.hosts.empty());
}

TEST_CASE("without MX the domain itself is the host, and without address there is none") {
  World world;
  world.dns.replies["a.test MX"] = dns_nodata(true);
  world.address("a.test", true);
  DaneFinding found = world.find();
  CHECK(found.mx == MxStatus::implicit);
  CHECK(found.mx_secure);
  CHECK(found.hosts[0].name == "a.test");
  world.dns.replies["a.test A"] = dns_nodata(true);
  CHECK(world.find().mx == MxStatus::nodata_no_address);
}

TEST_CASE("a failed MX lookup is an error and its own-fault mark is kept") {
  World world;
  world.dns.replies["a.test MX"] = dns_failed("SERVFAIL");
  DaneFinding found = world.find();
  CHECK(found.mx == MxStatus::error);
  CHECK_FALSE(found.own_fault);
  CHECK(found.reason == "MX lookup for a.test failed (SERVFAIL)");
  world.dns.replies["a.test MX"] = dns_failed("no resolver answers", true);
  CHECK(world.find().own_fault);
}

TEST_CASE("an alias that cannot be looked up is ERR, but the host is not out of reach") {
  World world;
  world.address("mx.a.test", false, {"host.b.test"});
  world.dns.replies["mx.a.test CNAME"] = dns_failed("SERVFAIL");
  const HostFinding host = world.host();
  CHECK(host.state == HostState::err);
  CHECK_FALSE(host.address_failed);
}

TEST_CASE("our own fault counts only where the lookup that failed decides") {
  World world;
  world.dns.replies["mx.a.test AAAA"] = dns_failed("queue full", true);
  const DaneFinding found = world.find();
  CHECK_FALSE(found.own_fault);
  CHECK(found.hosts[0].state == HostState::dane);
  world.dns.replies["mx.a.test A"] = dns_nodata(true);
  CHECK(world.find().own_fault);
}

TEST_CASE("our own fault at any host is a fault of the whole") {
  World world;
  world.dns.replies["_25._tcp.mx.a.test TLSA"] = dns_failed("no resolver answers", true);
  CHECK(world.find().own_fault);
}

TEST_CASE("a host key needs no MX lookup and the port is part of the TLSA name") {
  World world;
  world.dns.replies["_587._tcp.mx.a.test TLSA"] = dns_tlsa(true, {tlsa_311()});
  const DaneFinding found = world.find(next_hop("mx.a.test", false, 587));
  CHECK(found.mx == MxStatus::host);
  CHECK(found.mx_secure);
  CHECK(found.hosts[0].state == HostState::dane);
  CHECK(world.dns.count("mx.a.test MX") == 0);
}

TEST_CASE("hosts under an insecure MX are judged all the same") {
  World world;
  world.mx({{10, "mx.a.test"}}, false);
  const DaneFinding found = world.find();
  CHECK_FALSE(found.mx_secure);
  CHECK(found.hosts[0].state == HostState::dane);
}

TEST_CASE("a finding lives as long as the shortest answer in it") {
  World world;
  world.dns.replies["_25._tcp.mx.a.test TLSA"].ttl = std::chrono::seconds{42};
  CHECK(world.find().ttl == std::chrono::seconds{42});
}

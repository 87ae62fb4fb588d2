// SPDX-License-Identifier: Apache-2.0
#include "adapters/dns/dns_cache.h"

#include "fakes.h"

using namespace sealane;
using namespace std::chrono_literals;

namespace {

const SteadyTime kStart{1000h};

DnsReply servfail() { return dns_failed("SERVFAIL"); }

}  // namespace

TEST_CASE("an answer is used for its TTL and its remaining life is told") {
  DnsCache cache;
  const Domain name = domain("mx.a.test");
  CHECK(cache.put(name, RrType::a, dns_address(true, {"192.0.2.1"}), kStart).ttl == 300s);
  auto reply = cache.find(name, RrType::a, kStart + 100s);
  REQUIRE(reply);
  CHECK(reply->ttl == 200s);
  CHECK(reply->secure);
  CHECK(reply->addresses.size() == 1);
  CHECK(cache.find(name, RrType::a, kStart + 299s));
  CHECK_FALSE(cache.find(name, RrType::a, kStart + 300s));
  CHECK_FALSE(cache.find(name, RrType::aaaa, kStart));
}

TEST_CASE("no answer lives longer than an hour") {
  DnsCache cache;
  CHECK(cache.put(domain("a.test"), RrType::mx, dns_ok(true, 7 * 24h), kStart).ttl == 3600s);
  CHECK_FALSE(cache.find(domain("a.test"), RrType::mx, kStart + 3600s));
  DnsReply none = dns_nodata(true);
  none.ttl = 86400s;
  CHECK(cache.put(domain("a.test"), RrType::tlsa, none, kStart).ttl == 3600s);
}

TEST_CASE("an answer with a TTL of zero is used once") {
  DnsCache cache;
  CHECK(cache.put(domain("a.test"), RrType::a, dns_ok(false, 0s), kStart).ttl == 0s);
  CHECK_FALSE(cache.find(domain("a.test"), RrType::a, kStart));
  CHECK(cache.entries() == 0);
  CHECK(cache.octets() == 0);
}

TEST_CASE("a denial lives at least half a minute") {
  DnsCache cache;
  DnsReply none = dns_nodata(false);
  none.ttl = 0s;
  CHECK(cache.put(domain("a.test"), RrType::a, none, kStart).ttl == 30s);
  CHECK(cache.find(domain("a.test"), RrType::a, kStart + 29s)->status == DnsStatus::nodata);
  CHECK_FALSE(cache.find(domain("a.test"), RrType::a, kStart + 30s));
}

TEST_CASE("the record of a policy lives at least a minute, another TXT record does not") {
  DnsCache cache;
  DnsReply text = dns_txt({"v=STSv1; id=1;"});
  text.ttl = 5s;
  CHECK(cache.put(domain("_mta-sts.a.test"), RrType::txt, text, kStart).ttl == 60s);
  CHECK(cache.put(domain("a.test"), RrType::txt, text, kStart).ttl == 5s);
  text.ttl = 86400s;
  CHECK(cache.put(domain("_mta-sts.b.test"), RrType::txt, text, kStart).ttl == 3600s);
}

TEST_CASE("errors in a row are kept longer and longer, and an answer ends the row") {
  DnsCache cache;
  const Domain name = domain("a.test");
  SteadyTime now = kStart;
  for (const auto life : {30s, 60s, 120s, 300s, 300s}) {
    CHECK(cache.put(name, RrType::mx, servfail(), now).ttl == life);
    CHECK(cache.find(name, RrType::mx, now + life - 1s)->why == "SERVFAIL");
    now += life;
    CHECK_FALSE(cache.find(name, RrType::mx, now));
  }
  cache.put(name, RrType::mx, dns_mx(true, {{10, "mx.a.test"}}), now);
  CHECK(cache.put(name, RrType::mx, servfail(), now + 300s).ttl == 30s);
}

TEST_CASE("a row of errors is forgotten when nobody asks for a while") {
  DnsCache cache;
  cache.put(domain("a.test"), RrType::mx, servfail(), kStart);
  CHECK(cache.put(domain("a.test"), RrType::mx, servfail(), kStart + 30s + 600s).ttl == 60s);
  CHECK(cache.put(domain("a.test"), RrType::mx, servfail(), kStart + 630s + 60s + 601s).ttl == 30s);
}

TEST_CASE("a fault of our own is forgotten after a second and does not count as an error") {
  DnsCache cache;
  const Domain name = domain("a.test");
  cache.put(name, RrType::mx, servfail(), kStart);
  const SteadyTime later = kStart + 30s;
  CHECK(cache.put(name, RrType::mx, dns_failed("no resolver answers", true), later).ttl == 1s);
  CHECK(cache.find(name, RrType::mx, later)->own_fault);
  CHECK_FALSE(cache.find(name, RrType::mx, later + 1s));
  CHECK(cache.put(name, RrType::mx, servfail(), later + 1s).ttl == 60s);
}

TEST_CASE("the least recently used answer leaves when there are too many") {
  DnsCache cache(2);
  cache.put(domain("a.test"), RrType::a, dns_ok(true), kStart);
  cache.put(domain("b.test"), RrType::a, dns_ok(true), kStart);
  CHECK(cache.find(domain("a.test"), RrType::a, kStart));
  cache.put(domain("c.test"), RrType::a, dns_ok(true), kStart);
  CHECK(cache.entries() == 2);
  CHECK(cache.find(domain("a.test"), RrType::a, kStart));
  CHECK_FALSE(cache.find(domain("b.test"), RrType::a, kStart));
}

TEST_CASE("big answers make room for fewer") {
  DnsCache cache(1000, 100'000);
  for (int i = 0; i < 10; ++i) {
    const Domain name = domain("n" + std::to_string(i) + ".test");
    cache.put(name, RrType::txt, dns_txt({std::string(40'000, 'x')}), kStart);
    CHECK(cache.octets() <= 100'000);
  }
  CHECK(cache.entries() == 2);
  CHECK(cache.find(domain("n9.test"), RrType::txt, kStart));
  cache.put(domain("n9.test"), RrType::txt, dns_ok(true, 0s), kStart);
  cache.put(domain("n8.test"), RrType::txt, dns_ok(true, 0s), kStart);
  CHECK(cache.octets() == 0);
}

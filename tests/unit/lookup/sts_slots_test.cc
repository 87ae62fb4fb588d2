// SPDX-License-Identifier: Apache-2.0
#include "lookup/sts_slots.h"

#include <fmt/format.h>

#include "fakes.h"
#include "lookup/sts_lookup.h"

using namespace sealane;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t kAnyOctets = 1'000'000;

void ask_unsaved(StsSlots& slots, std::size_t number) {
  slots.asked(domain(fmt::format("d{}.test", number)))->unsaved = true;
}

}  // namespace

TEST_CASE("a policy that the store has not taken stays in memory, however many are asked after") {
  FakeResolver dns;
  FakeFetcher web;
  FakeStore store;
  FakeClock clock;
  boost::asio::io_context io;
  StsLimits limits;
  limits.max_domains = 2;
  limits.store_wait = 20ms;
  store.full = true;
  dns.replies["_mta-sts.a.test TXT"] = dns_txt({"v=STSv1; id=1"});
  web.policies["a.test"] =
      FetchedBody{"version: STSv1\nmode: enforce\nmx: mx.a.test\nmax_age: 604800\n", "192.0.2.1"};
  StsLookup lookup(io.get_executor(), dns, web, store, clock, limits);
  const auto ask = [&](const char* name) {
    return run(lookup.find(domain(name), std::chrono::steady_clock::now() + 5s), io).value;
  };
  CHECK(ask("a.test") == StsClass::enforce);
  for (const char* name : {"b.test", "c.test", "d.test"}) CHECK(ask(name) == StsClass::none);
  clock.advance(10min);
  dns.replies["_mta-sts.a.test TXT"] = dns_nodata(false);
  CHECK(ask("a.test") == StsClass::enforce);
  CHECK_FALSE(lookup.is_all_stored());
}

TEST_CASE("what was only refreshed stays when the store has not taken it") {
  StsSlots slots(10, kAnyOctets);
  slots.quiet(domain("lost.test"))->unsaved = true;
  slots.quiet(domain("kept.test"));
  slots.landed(slots.find("lost.test"), false);
  slots.landed(slots.find("kept.test"), false);
  CHECK(slots.find("lost.test"));
  CHECK_FALSE(slots.find("kept.test"));
}

TEST_CASE("stored domains go before an older one that is not, which goes as usual once it is") {
  StsSlots slots(2, kAnyOctets);
  ask_unsaved(slots, 0);
  for (const char* name : {"b.test", "c.test", "d.test"}) slots.asked(domain(name));
  CHECK(slots.find("d0.test"));
  CHECK(slots.size() == 2);
  slots.find("d0.test")->unsaved = false;
  slots.asked(domain("e.test"));
  CHECK_FALSE(slots.find("d0.test"));
}

TEST_CASE("memory is bounded although the store takes nothing: the oldest go") {
  StsSlots slots(2, kAnyOctets);
  for (std::size_t i = 0; i < kMaxUnsaved + 10; ++i) ask_unsaved(slots, i);
  CHECK(slots.size() == kMaxUnsaved + 2);
  CHECK_FALSE(slots.find("d7.test"));
  CHECK(slots.find("d8.test"));
}

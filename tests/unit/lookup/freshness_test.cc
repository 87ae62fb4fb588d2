// SPDX-License-Identifier: Apache-2.0
#include "lookup/freshness.h"

#include <fmt/format.h>

#include <set>

#include "fakes.h"

using namespace sealane;
using namespace std::chrono_literals;

namespace {
constexpr std::chrono::hours kWeek{168};
}

TEST_CASE("the day of a refresh is 10 % shorter or longer, each domain its own way") {
  std::set<std::chrono::seconds> ages;
  for (int i = 0; i < 1000; ++i) {
    const auto age = refresh_age(kWeek, spread_of(fmt::format("d{}.example", i)));
    CHECK(age >= 24h - 144min);
    CHECK(age <= 24h + 144min);
    ages.insert(age);
  }
  CHECK(ages.size() > 500);
  CHECK(*ages.begin() < 22h);
  CHECK(*ages.rbegin() > 26h);
}

TEST_CASE("a domain's place is the same in every process") {
  CHECK(spread_of("example.com") == spread_of("example.com"));
  CHECK(spread_of("example.com") == 181);
}

TEST_CASE("a policy of less than two days is refreshed at half its life") {
  CHECK(refresh_age(48h - 2s, 0) == 24h - 1s);
  CHECK(refresh_age(300s, 999) == 150s);
  CHECK(refresh_age(48h, 500) == 24h);
}

TEST_CASE("failures double the pause from 5 minutes up to the limit") {
  CHECK(backoff(1, kMaxRefreshBackoff) == 5min);
  CHECK(backoff(2, kMaxRefreshBackoff) == 10min);
  CHECK(backoff(7, kMaxRefreshBackoff) == 320min);
  CHECK(backoff(8, kMaxRefreshBackoff) == 6h);
  CHECK(backoff(4'000'000'000, kMaxRefreshBackoff) == 6h);
  CHECK(backoff(3, kMaxBackoff) == 15min);
}

TEST_CASE("what became overdue before the start is spread over three hours after it") {
  const PolicyAge overdue{30h, kWeek - 30h, 0s};
  CHECK(until_refresh(overdue, 0) == 0s);
  CHECK(until_refresh(overdue, 500) == 90min);
  CHECK(until_refresh({31h, kWeek - 31h, 1h}, 500) == 30min);
  CHECK(until_refresh({33h, kWeek - 33h, 3h}, 500) == -90min);
}

TEST_CASE("what becomes due while the daemon runs is due then") {
  CHECK(until_refresh({24h, kWeek - 24h, 1s}, 500) == 0s);
  CHECK(until_refresh({23h, kWeek - 23h, 0s}, 500) == 1h);
}

TEST_CASE("spreading never takes more than half of the life that is left") {
  CHECK(until_refresh({50min, 10min, 0s}, 999) < 5min);
  CHECK(until_refresh({kWeek, 1h, 0s}, 999) < 30min);
}

TEST_CASE("a policy that seems over at the start waits its turn like the others") {
  CHECK(until_refresh({kWeek, -1h, 0s}, 500) == 90min);
  CHECK(until_refresh({kWeek, -1h, 91min}, 500) < 0s);
}

TEST_CASE("a domain is abandoned after thirty days without a question") {
  const std::chrono::sys_seconds now{1'800'000'000s};
  StsMemory memory;
  CHECK(is_abandoned(memory, now));
  memory.asked = now - kAbandonedAfter;
  CHECK_FALSE(is_abandoned(memory, now));
  memory.asked = now - kAbandonedAfter - 1s;
  CHECK(is_abandoned(memory, now));
  memory.asked = now + 1h;  // the clock was set back
  CHECK_FALSE(is_abandoned(memory, now));
}

// SPDX-License-Identifier: Apache-2.0
#include "lookup/network_health.h"

#include <doctest/doctest.h>

using namespace sealane;
using namespace std::chrono_literals;

namespace {
const NetworkHealth::Steady kNow{100h};
}

TEST_CASE("three domains at three addresses out of reach look like our own fault") {
  NetworkHealth health;
  health.note_unreachable("a.test", {"192.0.2.1"}, kNow);
  health.note_unreachable("b.test", {"192.0.2.2"}, kNow);
  CHECK_FALSE(health.looks_broken(kNow));
  health.note_unreachable("c.test", {"192.0.2.3"}, kNow);
  CHECK(health.looks_broken(kNow));
}

TEST_CASE("three domains at one address are that address's fault") {
  NetworkHealth health;
  for (const char* name : {"a.test", "b.test", "c.test", "d.test"}) {
    health.note_unreachable(name, {"192.0.2.1"}, kNow);
  }
  CHECK_FALSE(health.looks_broken(kNow));
}

TEST_CASE("one success in between clears us and five minutes make forget") {
  NetworkHealth health;
  health.note_unreachable("a.test", {"192.0.2.1"}, kNow);
  health.note_unreachable("b.test", {"192.0.2.2"}, kNow);
  health.note_unreachable("c.test", {"192.0.2.3"}, kNow);
  CHECK(health.looks_broken(kNow + 5min));
  CHECK_FALSE(health.looks_broken(kNow + 5min + 1s));
  health.note_reached(kNow);
  CHECK_FALSE(health.looks_broken(kNow));
}

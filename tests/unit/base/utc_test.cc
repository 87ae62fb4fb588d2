// SPDX-License-Identifier: Apache-2.0
#include "base/utc.h"

#include <doctest/doctest.h>

using namespace sealane;
using std::chrono::seconds;
using std::chrono::sys_seconds;

TEST_CASE("a time as text is read back the same") {
  for (const long long at : {0LL, 1LL, 951'782'399LL, 1'790'000'000LL, 253'402'300'799LL}) {
    const sys_seconds time{seconds{at}};
    CHECK(parse_utc(utc_text(time)) == time);
  }
  CHECK(utc_text(sys_seconds{seconds{951'782'399}}) == "2000-02-28T23:59:59Z");
  CHECK(utc_text(sys_seconds{seconds{253'402'300'800}}) == "10000-01-01T00:00:00Z");
}

TEST_CASE("what is no time, or not in this form, is not read") {
  for (const char* text :
       {"", "2026-01-31", "2026-01-31T12:00:00", "2026-01-31 12:00:00Z", "2026-02-29T00:00:00Z",
        "2026-00-10T00:00:00Z", "2026-01-31T24:00:00Z", "2026-01-31T12:60:00Z",
        "2026-01-31T12:00:60Z", "1969-12-31T23:59:59Z", "+026-01-31T12:00:00Z",
        "2026-01-31T12:00:00z", "2026-01-31T12:00:00Z ", "10000-01-01T00:00:00Z"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_utc(text).has_value());
  }
}

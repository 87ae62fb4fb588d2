// SPDX-License-Identifier: Apache-2.0
#include "lookup/error_streak.h"

#include "fakes.h"
#include "lookup/dane_lookup.h"
#include "lookup/sts_entry.h"

using namespace sealane;
using namespace std::chrono_literals;

namespace {

constexpr std::chrono::hours kYear{365 * 24};

void fail_three_times(ErrorStreak& streak, FakeClock& clock, std::chrono::seconds apart) {
  for (int i = 0; i < 3; ++i) {
    if (i > 0) clock.advance(apart);
    streak.note(clock, "SERVFAIL");
  }
}

}  // namespace

TEST_CASE("a wall clock set back during a streak does not keep the bound away") {
  FakeClock clock;
  ErrorStreak streak;
  clock.step_wall(kYear);
  streak.note(clock, "SERVFAIL");
  clock.step_wall(-kYear);
  clock.advance(8min);
  streak.note(clock, "SERVFAIL");
  CHECK_FALSE(streak.beyond_bound());
  CHECK(streak.first == clock.wall() - 8min);
  clock.advance(7min);
  streak.note(clock, "SERVFAIL");
  CHECK(streak.beyond_bound());
}

TEST_CASE("a wall clock set forward during a streak does not bring the bound near") {
  FakeClock clock;
  ErrorStreak streak;
  streak.note(clock, "SERVFAIL");
  clock.advance(31s);
  streak.note(clock, "SERVFAIL");
  clock.step_wall(20min);
  clock.advance(31s);
  streak.note(clock, "SERVFAIL");
  CHECK(streak.count == 3);
  CHECK(streak.last - streak.first == 62s);
  CHECK_FALSE(streak.beyond_bound());
}

TEST_CASE("a streak ends a week after its last failure, whatever the wall clock was set to") {
  FakeClock clock;
  ErrorStreak streak;
  fail_three_times(streak, clock, 8min);
  clock.step_wall(-kYear);
  clock.advance(kErrorStreakLife + 1s);
  streak.note(clock, "SERVFAIL");
  CHECK(streak.count == 1);
}

TEST_CASE("a stored streak that a wrong clock has written is dropped and begins anew") {
  FakeClock clock;
  const auto now = clock.wall();
  const ErrorStreak wrong[] = {{now + kYear, 5, now + kYear, "SERVFAIL"},
                               {now + kYear, 5, now - 1min, "SERVFAIL"},
                               {now - kYear, 5, now - kErrorStreakLife - 1s, "SERVFAIL"}};
  for (const ErrorStreak& stored : wrong) {
    StsMemory memory;
    memory.txt_errors = stored;
    StsEntry entry(0, memory, clock, clock.steady());
    CHECK(entry.memory().txt_errors.count == 0);
    ErrorStreak streak = stored;
    streak.note(clock, "SERVFAIL");
    CHECK(streak.count == 1);
    CHECK(streak.first == now);
  }
}

TEST_CASE("a stored streak goes on after a restart, and with the steady clock from then") {
  FakeClock clock;
  StsMemory memory;
  memory.txt_errors = {clock.wall() - 2min, 2, clock.wall() - 1min, "SERVFAIL"};
  StsEntry entry(0, memory, clock, clock.steady());
  clock.step_wall(20min);
  clock.advance(1min);
  entry.apply_txt(dns_failed("SERVFAIL"), clock);
  CHECK(entry.memory().txt_errors.count == 3);
  CHECK(entry.finding(clock).value == StsClass::txt_error);
  clock.advance(12min);
  entry.apply_txt(dns_failed("SERVFAIL"), clock);
  CHECK(entry.finding(clock).txt_bound_reached);
}

TEST_CASE("the bound of address errors does not come near when the wall clock is set") {
  FakeResolver dns;
  FakeClock clock;
  dns.replies["a.test MX"] = dns_mx(true, {{10, "mx.a.test"}});
  dns.replies["mx.a.test A"] = dns_failed("timeout");
  dns.replies["mx.a.test AAAA"] = dns_failed("timeout");
  DaneLookup dane(dns, Families::any, clock);
  const NextHop next_hop = std::get<NextHop>(parse_next_hop("a.test"));
  const auto is_reached = [&] {
    DaneFinding mx = run(dane.find_mx(next_hop));
    return run(dane.judge_hosts(next_hop, std::move(mx))).hosts.front().address_bound_reached;
  };
  CHECK_FALSE(is_reached());
  clock.advance(31s);
  CHECK_FALSE(is_reached());
  clock.step_wall(20min);
  clock.advance(31s);
  CHECK_FALSE(is_reached());
  clock.advance(14min);
  CHECK(is_reached());
}

// SPDX-License-Identifier: Apache-2.0
#include "adapters/dns/fair_queue.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

using namespace sealane;

namespace {

std::vector<FairQueue::Ticket> all_next(FairQueue& queue) {
  std::vector<FairQueue::Ticket> tickets;
  while (const auto ticket = queue.next()) tickets.push_back(*ticket);
  return tickets;
}

using Tickets = std::vector<FairQueue::Ticket>;

}  // namespace

TEST_CASE("a key with many questions does not hold up another key") {
  FairQueue queue({.in_flight = 1, .in_flight_per_key = 2, .waiting = 100});
  const auto a1 = queue.push("a");
  const auto a2 = queue.push("a");
  const auto a3 = queue.push("a");
  CHECK(queue.next() == a1);
  const auto b1 = queue.push("b");
  queue.done("a");
  CHECK(queue.next() == a2);  // a was in line before b came
  queue.done("a");
  CHECK(queue.next() == b1);
  queue.done("b");
  CHECK(queue.next() == a3);
}

TEST_CASE("one key has its own limit and leaves the rest of the room to others") {
  FairQueue queue({.in_flight = 10, .in_flight_per_key = 2, .waiting = 100});
  Tickets a;
  for (int i = 0; i < 5; ++i) a.push_back(*queue.push("a"));
  CHECK(all_next(queue) == Tickets{a[0], a[1]});
  const auto b = queue.push("b");
  CHECK(all_next(queue) == Tickets{*b});
  CHECK(queue.in_flight() == 3);
  queue.done("a");
  CHECK(all_next(queue) == Tickets{a[2]});
  CHECK(queue.waiting() == 2);
}

TEST_CASE("no more than the limit is in flight in all") {
  FairQueue queue({.in_flight = 2, .in_flight_per_key = 2, .waiting = 100});
  for (const char* key : {"a", "b", "c"}) queue.push(key);
  CHECK(all_next(queue).size() == 2);
  queue.done("a");
  CHECK(all_next(queue).size() == 1);
}

TEST_CASE("a full queue takes no more") {
  FairQueue queue({.in_flight = 1, .in_flight_per_key = 1, .waiting = 2});
  CHECK(queue.push("a"));
  CHECK(queue.push("b"));
  CHECK_FALSE(queue.push("c"));
  CHECK(queue.next());
  CHECK(queue.push("c"));
}

TEST_CASE("a question that was given up is passed over, also the last of its key") {
  FairQueue queue({.in_flight = 1, .in_flight_per_key = 1, .waiting = 100});
  const auto first = queue.push("a");
  const auto given_up = queue.push("b");
  const auto last = queue.push("c");
  CHECK(queue.next() == first);
  queue.drop("b", *given_up);
  queue.done("a");
  CHECK(queue.next() == last);
  queue.done("c");
  CHECK_FALSE(queue.next());
  CHECK(queue.waiting() == 0);
  CHECK(queue.in_flight() == 0);
  queue.drop("b", *given_up);  // a second time: nothing happens
  queue.done("b");
  CHECK(queue.in_flight() == 0);
}

TEST_CASE("keys are served in turn, and every question is served once") {
  FairQueue queue({.in_flight = 3, .in_flight_per_key = 2, .waiting = 10'000});
  const std::vector<std::string> keys{"a", "b", "c", "d", "e"};
  std::vector<std::string> key_of(1, "");
  for (int i = 0; i < 1000; ++i) {
    const std::string& key = keys[static_cast<std::size_t>(i * i % 7 % 5)];
    REQUIRE(queue.push(key) == key_of.size());
    key_of.push_back(key);
  }
  std::vector<int> served(key_of.size(), 0);
  std::vector<FairQueue::Ticket> flying;
  for (int step = 0; step < 5000 && (queue.waiting() > 0 || !flying.empty()); ++step) {
    for (auto ticket : all_next(queue)) {
      flying.push_back(ticket);
      ++served[ticket];
    }
    REQUIRE(flying.size() <= 3);
    queue.done(key_of[flying.front()]);
    flying.erase(flying.begin());
  }
  CHECK(queue.waiting() == 0);
  CHECK(std::count(served.begin() + 1, served.end(), 1) == 1000);
}

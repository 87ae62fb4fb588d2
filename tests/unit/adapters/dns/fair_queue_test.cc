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

/// Into a queue that has room.
FairQueue::Ticket push(FairQueue& queue, const std::string& key) {
  const auto entered = queue.push(key);
  REQUIRE(entered);
  CHECK_FALSE(entered->displaced);
  return entered->ticket;
}

}  // namespace

TEST_CASE("a key with many questions does not hold up another key") {
  FairQueue queue({.in_flight = 1, .in_flight_per_key = 2, .waiting = 100});
  const auto a1 = push(queue, "a");
  const auto a2 = push(queue, "a");
  const auto a3 = push(queue, "a");
  CHECK(queue.next() == a1);
  const auto b1 = push(queue, "b");
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
  for (int i = 0; i < 5; ++i) a.push_back(push(queue, "a"));
  CHECK(all_next(queue) == Tickets{a[0], a[1]});
  const auto b = push(queue, "b");
  CHECK(all_next(queue) == Tickets{b});
  CHECK(queue.in_flight() == 3);
  queue.done("a");
  CHECK(all_next(queue) == Tickets{a[2]});
  CHECK(queue.waiting() == 2);
}

TEST_CASE("no more than the limit is in flight in all") {
  FairQueue queue({.in_flight = 2, .in_flight_per_key = 2, .waiting = 100});
  for (const char* key : {"a", "b", "c"}) push(queue, key);
  CHECK(all_next(queue).size() == 2);
  queue.done("a");
  CHECK(all_next(queue).size() == 1);
}

TEST_CASE("a full queue takes no more of those who have had their share") {
  FairQueue queue({.in_flight = 1, .in_flight_per_key = 1, .waiting = 2});
  push(queue, "a");
  push(queue, "b");
  CHECK_FALSE(queue.push("c"));
  CHECK(queue.next());
  push(queue, "c");
}

TEST_CASE("in a full queue the key that fills it makes room for a newcomer, not for itself") {
  FairQueue queue({.in_flight = 1, .in_flight_per_key = 1, .waiting = 4});
  const auto first = push(queue, "greedy");
  push(queue, "greedy");
  const auto third = push(queue, "greedy");
  const auto fourth = push(queue, "greedy");
  CHECK_FALSE(queue.push("greedy"));

  const auto modest = queue.push("modest");
  REQUIRE(modest);
  REQUIRE(modest->displaced);
  CHECK(modest->displaced->key == "greedy");
  CHECK(modest->displaced->ticket == fourth);
  const auto again = queue.push("modest");
  REQUIRE(again);
  CHECK(again->displaced->ticket == third);
  CHECK_FALSE(queue.push("modest"));  // two each
  CHECK(queue.waiting() == 4);
  CHECK(queue.next() == first);
  queue.done("greedy");
  CHECK(queue.next() == modest->ticket);
}

TEST_CASE("a question that was given up is passed over, also the last of its key") {
  FairQueue queue({.in_flight = 1, .in_flight_per_key = 1, .waiting = 100});
  const auto first = push(queue, "a");
  const auto given_up = push(queue, "b");
  const auto last = push(queue, "c");
  CHECK(queue.next() == first);
  queue.drop("b", given_up);
  queue.done("a");
  CHECK(queue.next() == last);
  queue.done("c");
  CHECK_FALSE(queue.next());
  CHECK(queue.waiting() == 0);
  CHECK(queue.in_flight() == 0);
  queue.drop("b", given_up);  // a second time: nothing happens
  queue.done("b");
  CHECK(queue.in_flight() == 0);
}

TEST_CASE("keys are served in turn, and every question is served once") {
  FairQueue queue({.in_flight = 3, .in_flight_per_key = 2, .waiting = 10'000});
  const std::vector<std::string> keys{"a", "b", "c", "d", "e"};
  std::vector<std::string> key_of(1, "");
  for (int i = 0; i < 1000; ++i) {
    const std::string& key = keys[static_cast<std::size_t>(i * i % 7 % 5)];
    REQUIRE(push(queue, key) == key_of.size());
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

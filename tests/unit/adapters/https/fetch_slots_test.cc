// SPDX-License-Identifier: Apache-2.0
#include "adapters/https/fetch_slots.h"

#include <doctest/doctest.h>

#include <random>

namespace sealane {
namespace {

using Tickets = std::vector<FetchSlots::Ticket>;

Place at(const std::string& address, const std::string& network = "net") {
  return {address, network};
}

FetchSlots::Ticket enter(FetchSlots& slots, Place place) {
  const auto ticket = slots.enter(std::move(place));
  REQUIRE(ticket.has_value());
  return *ticket;
}

TEST_CASE("a network is a /24 or a /48") {
  const auto place = [](const char* text) { return place_of(boost::asio::ip::make_address(text)); };
  CHECK(place("192.0.2.129").address == "192.0.2.129");
  CHECK(place("192.0.2.129").network == "192.0.2.0/24");
  CHECK(place("2001:db8:1:2::3").network == "2001:db8:1::/48");
}

TEST_CASE("slots go to those who wait in order of arrival") {
  FetchSlots slots({.fast = 2, .per_address = 8, .slow = 1, .waiting = 10});
  const auto a = enter(slots, at("1")), b = enter(slots, at("2")), c = enter(slots, at("3"));
  const auto d = enter(slots, at("1"));
  CHECK(slots.admit() == Tickets{a, b});
  CHECK(slots.admit().empty());
  CHECK(slots.waiting() == 2);
  slots.leave(b);
  CHECK(slots.admit() == Tickets{c});
  slots.leave(a);
  CHECK(slots.admit() == Tickets{d});
}

TEST_CASE("an address at its limit holds nobody else up") {
  FetchSlots slots({.fast = 4, .per_address = 2, .slow = 1, .waiting = 10});
  const auto a = enter(slots, at("big")), b = enter(slots, at("big")), c = enter(slots, at("big"));
  const auto d = enter(slots, at("big")), e = enter(slots, at("small"));
  CHECK(slots.admit() == Tickets{a, b, e});
  slots.leave(e);
  CHECK(slots.admit().empty());
  slots.leave(a);
  CHECK(slots.admit() == Tickets{c});
  slots.leave(c);
  CHECK(slots.admit() == Tickets{d});
}

TEST_CASE("one who leaves while waiting leaves no gap") {
  FetchSlots slots({.fast = 1, .per_address = 1, .slow = 1, .waiting = 10});
  const auto a = enter(slots, at("x"));
  CHECK(slots.admit() == Tickets{a});
  const auto b = enter(slots, at("x")), c = enter(slots, at("x")), d = enter(slots, at("x"));
  slots.leave(b);
  slots.leave(c);
  slots.leave(c);  // twice is harmless
  slots.leave(a);
  CHECK(slots.admit() == Tickets{d});
}

TEST_CASE("the queue is bounded") {
  FetchSlots slots({.fast = 1, .per_address = 1, .slow = 1, .waiting = 2});
  enter(slots, at("x"));
  slots.admit();
  enter(slots, at("x"));
  enter(slots, at("y"));
  CHECK_FALSE(slots.enter(at("z")).has_value());
}

TEST_CASE("a slow fetch frees its fast slot and its place at the address") {
  FetchSlots slots({.fast = 1, .per_address = 1, .slow = 2, .waiting = 10});
  const auto a = enter(slots, at("x")), b = enter(slots, at("x"));
  CHECK(slots.admit() == Tickets{a});
  CHECK_FALSE(slots.move_to_slow(a).has_value());
  CHECK(slots.admit() == Tickets{b});
  CHECK(slots.slow() == 1);
  slots.leave(a);
  CHECK(slots.slow() == 0);
}

TEST_CASE("when the slow pool is full the oldest fetch of the greatest network is given up") {
  FetchSlots slots({.fast = 10, .per_address = 10, .slow = 3, .waiting = 10});
  const auto good = enter(slots, at("1", "good"));
  const auto bad1 = enter(slots, at("2", "bad")), bad2 = enter(slots, at("3", "bad"));
  const auto other = enter(slots, at("4", "other")), last = enter(slots, at("5", "last"));
  slots.admit();
  CHECK_FALSE(slots.move_to_slow(good).has_value());
  CHECK_FALSE(slots.move_to_slow(bad2).has_value());
  CHECK_FALSE(slots.move_to_slow(bad1).has_value());
  CHECK(slots.move_to_slow(other) == bad1);
  CHECK(slots.slow() == 3);
  CHECK(slots.move_to_slow(last) == good);  // all equal now: the oldest of all
  slots.leave(bad1);                        // has left already
  CHECK(slots.slow() == 3);
}

TEST_CASE("a slow fetch that goes on to another network counts there") {
  FetchSlots slots({.fast = 10, .per_address = 10, .slow = 3, .waiting = 10});
  const auto a = enter(slots, at("1", "a")), b = enter(slots, at("2", "b"));
  const auto c = enter(slots, at("3", "c")), d = enter(slots, at("4", "d"));
  slots.admit();
  for (const auto ticket : {a, b, c}) CHECK_FALSE(slots.move_to_slow(ticket).has_value());
  slots.move(c, at("2", "b"));
  CHECK(slots.move_to_slow(d) == b);
}

TEST_CASE("whatever happens the limits hold and nobody is forgotten") {
  const SlotLimits limits{.fast = 5, .per_address = 2, .slow = 4, .waiting = 20};
  FetchSlots slots(limits);
  std::mt19937 random(7);
  std::map<FetchSlots::Ticket, std::string> waiting, fast;
  std::map<FetchSlots::Ticket, bool> slow;
  const auto any_of = [&](auto& map) {
    return std::next(map.begin(), static_cast<long>(random() % map.size()));
  };
  for (int step = 0; step < 20000; ++step) {
    const auto choice = random() % 5;
    if (choice <= 1) {
      const std::string address = std::to_string(random() % 6);
      const auto ticket = slots.enter(at(address, std::to_string(random() % 3)));
      REQUIRE(ticket.has_value() == (waiting.size() < limits.waiting));
      if (ticket) waiting[*ticket] = address;
    } else if (choice == 2 && !waiting.empty() && random() % 3 == 0) {
      const auto one = any_of(waiting);
      slots.leave(one->first);
      waiting.erase(one);
    } else if (choice == 3 && !fast.empty()) {
      const auto one = any_of(fast);
      slots.leave(one->first);
      fast.erase(one);
    } else if (choice == 4 && !fast.empty()) {
      const auto one = any_of(fast);
      slow[one->first] = true;
      if (const auto victim = slots.move_to_slow(one->first)) REQUIRE(slow.erase(*victim) == 1);
      fast.erase(one);
    }
    for (const auto ticket : slots.admit()) {
      REQUIRE(waiting.contains(ticket));
      fast[ticket] = waiting[ticket];
      waiting.erase(ticket);
    }
    std::map<std::string, std::size_t> at_address;
    for (const auto& [ticket, address] : fast) ++at_address[address];
    for (const auto& [address, count] : at_address) REQUIRE(count <= limits.per_address);
    REQUIRE(fast.size() <= limits.fast);
    REQUIRE(slow.size() <= limits.slow);
    REQUIRE(slots.fast() == fast.size());
    REQUIRE(slots.slow() == slow.size());
    REQUIRE(slots.waiting() == waiting.size());
    // A free slot and a waiter whose address has room never meet.
    for (const auto& [ticket, address] : waiting) {
      REQUIRE((fast.size() == limits.fast || at_address[address] == limits.per_address));
    }
  }
}

}  // namespace
}  // namespace sealane

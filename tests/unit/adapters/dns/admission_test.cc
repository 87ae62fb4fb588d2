// SPDX-License-Identifier: Apache-2.0
#include "adapters/dns/admission.h"

#include <doctest/doctest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <vector>

using namespace sealane;
using namespace std::chrono_literals;

namespace {

/// Who waits, and what came of it.
class Room {
 public:
  explicit Room(FairLimits limits) : admission(io.get_executor(), limits, 1min) {}

  std::shared_ptr<Admission::Turn> enter(const std::string& key, std::optional<bool>& outcome) {
    auto turn = admission.enter(key);
    if (!turn) return turn;
    boost::asio::co_spawn(io, admission.wait(turn),
                          [&outcome](std::exception_ptr, bool may_go) { outcome = may_go; });
    io.poll();
    return turn;
  }
  void settle() {
    io.restart();
    io.poll();
  }

  boost::asio::io_context io{1};
  Admission admission;
};

}  // namespace

TEST_CASE("who has to make room for a newcomer stops waiting at once") {
  Room room({.in_flight = 1, .in_flight_per_key = 1, .waiting = 2});
  std::optional<bool> flying, second, third, newcomer;
  const auto first = room.enter("greedy", flying);
  room.enter("greedy", second);
  room.enter("greedy", third);
  CHECK(flying == true);
  CHECK_FALSE(third);

  const auto modest = room.enter("modest", newcomer);
  REQUIRE(modest);
  room.settle();
  CHECK(third == false);
  CHECK_FALSE(second);
  CHECK_FALSE(newcomer);
  CHECK(room.admission.waiting() == 2);

  room.admission.leave(*first);
  room.settle();
  CHECK(newcomer == true);  // its key's turn, since the other's has just been
  CHECK_FALSE(second);
  room.admission.close();
  room.settle();
  CHECK(second == false);
}

TEST_CASE("a lookup that two keys want goes on when one of them has to make room") {
  Room room({.in_flight = 1, .in_flight_per_key = 1, .waiting = 3});
  std::optional<bool> flying, shared, other, newcomer;
  const auto first = room.enter("greedy", flying);
  room.enter("greedy", other);
  const auto both = room.enter("modest", shared);
  room.admission.enter_too(both, "greedy");
  CHECK(room.admission.waiting() == 3);

  room.enter("newcomer", newcomer);
  room.settle();
  CHECK_FALSE(shared);
  room.admission.leave(*first);
  room.settle();
  CHECK(shared == true);
  CHECK_FALSE(other);
  room.admission.close();
  room.settle();
}

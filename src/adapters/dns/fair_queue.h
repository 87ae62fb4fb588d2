// SPDX-License-Identifier: Apache-2.0
// Whose question goes next.  One next-hop with a thousand MX hosts must not hold up the others.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <optional>
#include <string>
#include <unordered_map>

namespace sealane {

struct FairLimits {
  std::size_t in_flight;          ///< in all
  std::size_t in_flight_per_key;  ///< of one key
  std::size_t waiting;            ///< in all
};

/// First come, first served within a key; keys in turn.  Pure; not thread-safe.
class FairQueue {
 public:
  using Ticket = std::uint64_t;
  struct Place {
    std::string key;
    Ticket ticket;
  };
  struct Entered {
    Ticket ticket;
    /// Who had to leave for it: the last comer of the key that waits most often.
    std::optional<Place> displaced;
  };

  explicit FairQueue(FairLimits limits) : limits_(limits) {}

  /// Joins the queue.  In a full one it takes the place of a key that has taken more than its
  /// share; nothing if there is none.
  std::optional<Entered> push(const std::string& key);
  /// The ticket that may go now, which then is in flight until done(); call until it gives nothing.
  std::optional<Ticket> next();
  /// Gives up a ticket that is still waiting.
  void drop(const std::string& key, Ticket ticket);
  /// One of this key's tickets in flight has landed.
  void done(const std::string& key);

  std::size_t in_flight() const { return in_flight_; }
  std::size_t waiting() const { return waiting_; }

 private:
  struct Lane {
    std::deque<Ticket> waiting;
    std::size_t in_flight = 0;
    std::optional<std::list<std::string>::iterator> turn;  ///< its place in turn_
  };

  std::optional<Place> last_of_fullest(const std::string& newcomer) const;
  void settle(const std::string& key, Lane& lane);

  FairLimits limits_;
  Ticket last_ticket_ = 0;
  std::size_t in_flight_ = 0;
  std::size_t waiting_ = 0;
  std::unordered_map<std::string, Lane> lanes_;  ///< only keys that wait or are in flight
  std::list<std::string> turn_;  ///< keys that wait and may go, in the order they will
};

}  // namespace sealane

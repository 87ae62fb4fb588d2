// SPDX-License-Identifier: Apache-2.0
// Who may fetch now.  Pure bookkeeping: no clock, no socket.
//
// A fetch begins in the fast pool.  One that takes long moves to the slow pool, so that web servers
// which hang can never use up the slots that the others need.  When the slow pool is full, the
// oldest fetch of the network that has most there is given up: whoever fills it pays for it.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace sealane {

struct SlotLimits {
  std::size_t fast = 128;       ///< fetches in their first seconds
  std::size_t per_address = 8;  ///< of those, to one address: a large hoster keeps the rest free
  std::size_t slow = 32;        ///< fetches that took longer than that
  std::size_t waiting = 4096;   ///< fetches without a slot; each is a few KiB of our memory
};

/// What a fetch connects to.
struct Place {
  std::string address;
  std::string network;  ///< its /24 (IPv4) or /48 (IPv6): what one owner has
};
Place place_of(const boost::asio::ip::address& address);

/// Not thread-safe.  Every ticket is given back by leave().
class FetchSlots {
 public:
  using Ticket = std::uint64_t;  ///< ascending in order of arrival

  explicit FetchSlots(SlotLimits limits) : limits_(limits) {}

  /// Queues for a slot of the fast pool; nullopt: too many wait already.
  std::optional<Ticket> enter(Place place);

  /// Gives free slots to those who wait, first come first served except that an address at its
  /// limit holds nobody else up.  Returns the tickets which may go ahead now.  To be called after
  /// each enter(), move_to_slow() and leave().
  std::vector<Ticket> admit();

  /// The fetch has used up its time in the fast pool.  Returns the ticket of the fetch to give up
  /// for it, if the slow pool was full; that one has left then.
  std::optional<Ticket> move_to_slow(Ticket ticket);

  /// A fetch in the slow pool goes on to another address.
  void move(Ticket ticket, Place place);

  /// From whichever state; a ticket that is gone is ignored.
  void leave(Ticket ticket);

  std::size_t fast() const { return fast_.size(); }
  std::size_t slow() const { return slow_.size(); }
  std::size_t waiting() const { return waiting_.size(); }

 private:
  struct Queue {
    std::size_t running = 0;     // in the fast pool
    std::deque<Ticket> waiting;  // may hold tickets that have left meanwhile
  };
  void settle(const std::string& address);
  std::optional<Ticket> oldest_of_greatest_network() const;

  SlotLimits limits_;
  Ticket next_ = 1;
  std::map<std::string, Queue> queues_;
  std::map<Ticket, Place> waiting_;
  std::map<Ticket, std::string> ready_;  // first waiter of each address that is below its limit
  std::map<Ticket, Place> fast_;
  std::map<Ticket, Place> slow_;
};

}  // namespace sealane

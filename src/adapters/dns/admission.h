// SPDX-License-Identifier: Apache-2.0
// The wait of lookups for their turn: the fair queue, with somebody sleeping on each ticket.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "adapters/dns/fair_queue.h"
#include "base/task.h"

namespace sealane {

/// Belongs to the lookup thread.
class Admission {
 public:
  /// One lookup, which may wait on behalf of several keys and goes when the first has its turn.
  struct Turn {
    Turn(const boost::asio::any_io_executor& executor, std::chrono::milliseconds patience)
        : given_up(executor, patience) {}
    boost::asio::steady_timer given_up;
    std::map<std::string, FairQueue::Ticket> tickets;  ///< by key, while it waits
    std::optional<std::string> granted_to;             ///< the key whose room it takes
  };

  Admission(boost::asio::any_io_executor executor, FairLimits limits,
            std::chrono::milliseconds patience)
      : executor_(std::move(executor)), queue_(limits), patience_(patience) {}

  /// Nothing if the queue is full or closed.
  std::shared_ptr<Turn> enter(const std::string& key);
  /// Another key wants the same lookup: it must not wait behind the first one's.
  void enter_too(const std::shared_ptr<Turn>& turn, const std::string& key);
  /// True when it may go (then leave() must follow), false when it has waited for too long or had
  /// to make room for a key that waits less often.
  Task<bool> wait(std::shared_ptr<Turn> turn);
  /// The lookup is over; the next may go.
  void leave(const Turn& turn);
  /// Ends all waits with false.
  void close();

  std::size_t in_flight() const { return queue_.in_flight(); }
  std::size_t waiting() const { return queue_.waiting(); }

 private:
  void displace(const FairQueue::Place& place);
  void withdraw(Turn& turn);
  void grant();

  boost::asio::any_io_executor executor_;
  FairQueue queue_;
  std::chrono::milliseconds patience_;
  bool closed_ = false;
  std::unordered_map<FairQueue::Ticket, std::pair<std::string, std::shared_ptr<Turn>>> turns_;
};

}  // namespace sealane

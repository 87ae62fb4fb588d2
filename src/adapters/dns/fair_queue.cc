// SPDX-License-Identifier: Apache-2.0
#include "adapters/dns/fair_queue.h"

#include <algorithm>
#include <utility>

namespace sealane {

std::optional<FairQueue::Entered> FairQueue::push(const std::string& key) {
  std::optional<Place> displaced;
  if (waiting_ >= limits_.waiting) {
    displaced = last_of_fullest(key);
    if (!displaced) return std::nullopt;
    drop(displaced->key, displaced->ticket);
  }
  Lane& lane = lanes_[key];
  lane.waiting.push_back(++last_ticket_);
  ++waiting_;
  settle(key, lane);
  return Entered{last_ticket_, std::move(displaced)};
}

std::optional<FairQueue::Place> FairQueue::last_of_fullest(const std::string& newcomer) const {
  if (lanes_.empty()) return std::nullopt;
  const auto fullest =
      std::max_element(lanes_.begin(), lanes_.end(), [](const auto& one, const auto& other) {
        return one.second.waiting.size() < other.second.waiting.size();
      });
  const auto own = lanes_.find(newcomer);
  const std::size_t owned = own == lanes_.end() ? 0 : own->second.waiting.size();
  // Taking turns at displacing each other would help nobody.
  if (fullest->second.waiting.size() <= owned + 1) return std::nullopt;
  return Place{fullest->first, fullest->second.waiting.back()};
}

std::optional<FairQueue::Ticket> FairQueue::next() {
  if (in_flight_ >= limits_.in_flight || turn_.empty()) return std::nullopt;
  const std::string key = std::move(turn_.front());
  turn_.pop_front();
  Lane& lane = lanes_.at(key);
  const Ticket ticket = lane.waiting.front();
  lane.waiting.pop_front();
  lane.turn.reset();
  ++lane.in_flight;
  ++in_flight_;
  --waiting_;
  settle(key, lane);
  return ticket;
}

void FairQueue::drop(const std::string& key, Ticket ticket) {
  const auto found = lanes_.find(key);
  if (found == lanes_.end()) return;
  Lane& lane = found->second;
  const auto place = std::find(lane.waiting.begin(), lane.waiting.end(), ticket);
  if (place == lane.waiting.end()) return;
  lane.waiting.erase(place);
  --waiting_;
  settle(key, lane);
}

void FairQueue::done(const std::string& key) {
  const auto found = lanes_.find(key);
  if (found == lanes_.end() || found->second.in_flight == 0) return;
  --found->second.in_flight;
  --in_flight_;
  settle(key, found->second);
}

/// Puts a lane in turn, takes it out, or forgets it, as its state says.
void FairQueue::settle(const std::string& key, Lane& lane) {
  const bool may_go = !lane.waiting.empty() && lane.in_flight < limits_.in_flight_per_key;
  if (may_go && !lane.turn) lane.turn = turn_.insert(turn_.end(), key);
  if (!may_go && lane.turn) {
    turn_.erase(*lane.turn);
    lane.turn.reset();
  }
  if (lane.waiting.empty() && lane.in_flight == 0) lanes_.erase(key);
}

}  // namespace sealane

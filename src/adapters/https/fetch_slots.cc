// SPDX-License-Identifier: Apache-2.0
#include "adapters/https/fetch_slots.h"

#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>
#include <utility>

namespace sealane {

Place place_of(const boost::asio::ip::address& address) {
  namespace ip = boost::asio::ip;
  if (address.is_v4()) {
    return {address.to_string(), ip::network_v4(address.to_v4(), 24).canonical().to_string()};
  }
  return {address.to_string(), ip::network_v6(address.to_v6(), 48).canonical().to_string()};
}

std::optional<FetchSlots::Ticket> FetchSlots::enter(Place place) {
  if (waiting_.size() >= limits_.waiting) return std::nullopt;
  const Ticket ticket = next_++;
  const std::string address = place.address;
  queues_[address].waiting.push_back(ticket);
  waiting_.emplace(ticket, std::move(place));
  settle(address);
  return ticket;
}

/// Brings `ready_` up to date for one address, and forgets an address nobody asks for.
void FetchSlots::settle(const std::string& address) {
  const auto found = queues_.find(address);
  if (found == queues_.end()) return;
  Queue& queue = found->second;
  while (!queue.waiting.empty() && !waiting_.contains(queue.waiting.front())) {
    queue.waiting.pop_front();
  }
  if (!queue.waiting.empty()) {
    if (queue.running < limits_.per_address) ready_.emplace(queue.waiting.front(), address);
    return;
  }
  if (queue.running == 0) queues_.erase(found);
}

std::vector<FetchSlots::Ticket> FetchSlots::admit() {
  std::vector<Ticket> admitted;
  while (fast_.size() < limits_.fast && !ready_.empty()) {
    const auto [ticket, address] = *ready_.begin();
    ready_.erase(ready_.begin());
    Queue& queue = queues_[address];
    queue.waiting.pop_front();
    ++queue.running;
    const auto waiter = waiting_.find(ticket);
    fast_.emplace(ticket, std::move(waiter->second));
    waiting_.erase(waiter);
    settle(address);
    admitted.push_back(ticket);
  }
  return admitted;
}

std::optional<FetchSlots::Ticket> FetchSlots::move_to_slow(Ticket ticket) {
  const auto found = fast_.find(ticket);
  if (found == fast_.end()) return std::nullopt;
  const Place place = std::move(found->second);
  fast_.erase(found);
  --queues_[place.address].running;
  settle(place.address);
  slow_.emplace(ticket, place);
  if (slow_.size() <= limits_.slow) return std::nullopt;
  const auto victim = oldest_of_greatest_network();
  if (victim) slow_.erase(*victim);
  return victim;
}

std::optional<FetchSlots::Ticket> FetchSlots::oldest_of_greatest_network() const {
  std::map<std::string, std::size_t> count;
  for (const auto& [ticket, place] : slow_) ++count[place.network];
  std::optional<Ticket> oldest;
  std::size_t most = 0;
  for (const auto& [ticket, place] : slow_) {
    if (count[place.network] <= most) continue;
    most = count[place.network];
    oldest = ticket;
  }
  return oldest;
}

void FetchSlots::move(Ticket ticket, Place place) {
  const auto found = slow_.find(ticket);
  if (found != slow_.end()) found->second = std::move(place);
}

void FetchSlots::leave(Ticket ticket) {
  slow_.erase(ticket);
  if (const auto waiter = waiting_.find(ticket); waiter != waiting_.end()) {
    const std::string address = waiter->second.address;
    waiting_.erase(waiter);
    ready_.erase(ticket);
    settle(address);
    return;
  }
  const auto found = fast_.find(ticket);
  if (found == fast_.end()) return;
  const std::string address = found->second.address;
  fast_.erase(found);
  --queues_[address].running;
  settle(address);
}

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
#include "adapters/dns/admission.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace sealane {

std::shared_ptr<Admission::Turn> Admission::enter(const std::string& key) {
  auto turn = std::make_shared<Turn>(executor_, patience_);
  enter_too(turn, key);
  const bool entered = turn->granted_to || !turn->tickets.empty();
  return entered ? turn : nullptr;
}

void Admission::enter_too(const std::shared_ptr<Turn>& turn, const std::string& key) {
  if (closed_ || turn->granted_to || turn->tickets.contains(key)) return;
  const auto entered = queue_.push(key);
  if (!entered) return;
  turn->tickets.emplace(key, entered->ticket);
  turns_.emplace(entered->ticket, std::pair(key, turn));
  if (entered->displaced) displace(*entered->displaced);
  grant();
}

void Admission::displace(const FairQueue::Place& place) {
  const auto found = turns_.find(place.ticket);
  const std::shared_ptr<Turn> turn = found->second.second;
  turns_.erase(found);
  turn->tickets.erase(place.key);
  if (turn->tickets.empty()) turn->given_up.cancel();
}

Task<bool> Admission::wait(std::shared_ptr<Turn> turn) {
  boost::system::error_code woken;
  if (!turn->granted_to && !turn->tickets.empty() && !closed_) {
    co_await turn->given_up.async_wait(
        boost::asio::redirect_error(boost::asio::use_awaitable, woken));
  }
  withdraw(*turn);
  co_return turn->granted_to.has_value();
}

void Admission::leave(const Turn& turn) {
  queue_.done(*turn.granted_to);
  grant();
}

void Admission::close() {
  closed_ = true;
  for (const auto& [ticket, waiting] : turns_) waiting.second->given_up.cancel();
}

void Admission::withdraw(Turn& turn) {
  for (const auto& [key, ticket] : turn.tickets) {
    queue_.drop(key, ticket);
    turns_.erase(ticket);
  }
  turn.tickets.clear();
}

void Admission::grant() {
  while (!closed_) {
    const auto ticket = queue_.next();
    if (!ticket) return;
    const auto [key, turn] = turns_.at(*ticket);
    turn->granted_to = key;
    withdraw(*turn);  // of the granted one only the entry here: it no longer waits in the queue
    turn->given_up.cancel();
  }
}

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
#include "lookup/network_health.h"

#include <set>
#include <utility>

namespace sealane {

void NetworkHealth::note_unreachable(const std::string& domain, std::vector<std::string> addresses,
                                     Steady now) {
  failures_.push_back(Failure{now, domain, std::move(addresses)});
  const auto old = [&] { return now - failures_.front().at > kHealthWindow; };
  while (failures_.size() > kMaxFailures || old()) failures_.pop_front();
}

bool NetworkHealth::looks_broken(Steady now) const {
  std::set<std::string> domains;
  std::set<std::string> addresses;
  for (const Failure& failure : failures_) {
    if (now - failure.at > kHealthWindow) continue;
    domains.insert(failure.domain);
    addresses.insert(failure.addresses.begin(), failure.addresses.end());
  }
  return domains.size() >= kUnreachableDomains && addresses.size() >= kUnreachableAddresses;
}

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
#include "lookup/network_health.h"

#include <set>
#include <utility>

namespace sealane {
namespace {

/// The other side has said something: our own network works.
bool proves_connection(FetchProblem problem) {
  switch (problem) {
    case FetchProblem::tls:
    case FetchProblem::status:
    case FetchProblem::redirect:
    case FetchProblem::media_type:
    case FetchProblem::too_large:
    case FetchProblem::protocol:
      return true;
    case FetchProblem::dns:
    case FetchProblem::address:
    case FetchProblem::connect:
    case FetchProblem::timeout:
    case FetchProblem::own:
      return false;
  }
  return false;
}

}  // namespace

bool has_no_connection(const FetchFailure& failure) {
  return failure.problem == FetchProblem::connect && !failure.unreachable.empty();
}

void NetworkHealth::note_failure(const std::string& domain, const FetchFailure& failure,
                                 Steady now) {
  if (has_no_connection(failure)) {
    note_unreachable(domain, failure.unreachable, now);
  } else if (proves_connection(failure.problem)) {
    note_reached(now);
  }
}

bool NetworkHealth::is_alone(const FetchFailure& failure, Steady now) const {
  return has_no_connection(failure) && looks_broken(now);
}

bool NetworkHealth::is_theirs(const FetchFailure& failure, Steady now) const {
  if (!has_no_connection(failure)) return true;
  return reached_at_ && now - *reached_at_ <= kHealthWindow;
}

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

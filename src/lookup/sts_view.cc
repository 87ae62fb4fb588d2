// SPDX-License-Identifier: Apache-2.0
#include "lookup/sts_view.h"

namespace sealane {
namespace {

using std::chrono::seconds;

/// From now on, in whole seconds; 0: it is due.
seconds until(StsEntry::Steady when, const Clock& clock) {
  return std::max(seconds{0}, std::chrono::ceil<seconds>(when - clock.steady()));
}

}  // namespace

StsView StsEntry::view(const Clock& clock) const {
  StsView view;
  view.txt = txt_;
  view.txt_problem = txt_problem_;
  view.txt_ttl = txt_ttl_;
  const auto now = clock.steady();
  if (txt_ != TxtState::unknown) view.txt_age = std::chrono::floor<seconds>(now - txt_at_);
  view.memory = memory_;
  view.own_fault = own_fault_;
  view.unreadable = unreadable_;
  view.fetching = fetching;
  if (second_fetch_) view.second_fetch = until(*second_fetch_, clock);
  if (policy_) {
    view.policy = policy_;
    view.source = fetched_here_ ? PolicySource::memory : PolicySource::store;
    view.policy_age = std::chrono::floor<seconds>(now - policy_fetched_);
    view.policy_left = std::chrono::floor<seconds>(policy_ends_ - now);
    view.next_fetch = until(std::max(*refresh_at(), fetch_allowed_), clock);
  } else if (memory_.fetch_errors.count > 0) {
    view.next_fetch = until(std::max(next_fetch_, fetch_allowed_), clock);
  }
  return view;
}

std::string_view name_of(TxtState state) {
  switch (state) {
    case TxtState::unknown:
      return "unknown";
    case TxtState::own_fault:
      return "own-fault";
    case TxtState::failed:
      return "failed";
    case TxtState::none:
      return "none";
    case TxtState::several:
      return "several";
    case TxtState::invalid:
      return "invalid";
    case TxtState::valid:
      return "valid";
  }
  return "?";
}

std::string_view name_of(PolicySource source) {
  switch (source) {
    case PolicySource::none:
      return "none";
    case PolicySource::fetched:
      return "fetched";
    case PolicySource::memory:
      return "memory";
    case PolicySource::store:
      return "store";
  }
  return "?";
}

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
#include "lookup/sts_again.h"

#include <utility>

#include "lookup/sts_txt.h"

namespace sealane {
namespace {

void note_fetched(StsEntry& entry, const FetchedBody& body, const Clock& clock) {
  Result<StsPolicy> policy = parse_sts_policy(body.body);
  if (policy) {
    entry.apply_fetched(body, *std::move(policy), clock);
  } else {
    entry.apply_failure("invalid policy: " + policy.error(), false, clock);
  }
}

void note_failure(StsEntry& entry, const FetchFailure& failure, const Clock& clock,
                  const NetworkHealth& health) {
  const bool own = failure.problem == FetchProblem::own || health.is_alone(failure, clock.steady());
  entry.apply_failure(failure.text, own, clock);
}

}  // namespace

Task<StsSight> look_again(StsEntry entry, Domain domain, Resolver& resolver, PolicyFetcher& fetcher,
                          const Clock& clock, const NetworkHealth& health) {
  entry.fetching = false;  // whoever fetches for the original does not do it for the copy
  auto asking = ask_sts_txt(resolver, domain, true);
  DnsReply reply = co_await std::move(asking);
  entry.apply_txt(reply, clock);
  const bool fetches = entry.txt() == TxtState::valid || entry.has_stored();
  bool fetched = false;
  if (fetches) {
    const Fetched outcome = co_await fetcher.fetch(domain, true);
    fetched = outcome.has_value();
    if (outcome) {
      note_fetched(entry, *outcome, clock);
    } else {
      note_failure(entry, outcome.error(), clock, health);
    }
  }
  StsSight look{entry.finding(clock), entry.view(clock)};
  look.view.txt_records = std::move(reply.txt);
  const bool is_new = fetched && look.view.memory.fetch_errors.count == 0 && look.view.policy;
  if (is_new) look.view.source = PolicySource::fetched;
  co_return look;
}

}  // namespace sealane

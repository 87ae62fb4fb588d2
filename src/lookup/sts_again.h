// SPDX-License-Identifier: Apache-2.0
// A second look at what a domain publishes by MTA-STS, without consequences: on a copy of what is
// remembered, by the rules that the daemon goes by itself.
#pragma once

#include "base/task.h"
#include "lookup/clock.h"
#include "lookup/network_health.h"
#include "lookup/policy_fetcher.h"
#include "lookup/resolver.h"
#include "lookup/sts_view.h"
#include "policy/domain.h"

namespace sealane {

/// Looks up the TXT record anew, and fetches the policy if there is a record, or one is kept.
/// `entry` is the copy that takes the outcome: no policy that is kept is changed by it.  The
/// references must outlive the task.  Ends within the fetcher's budget.
Task<StsSight> look_again(StsEntry entry, Domain domain, Resolver& resolver, PolicyFetcher& fetcher,
                          const Clock& clock, const NetworkHealth& health);

}  // namespace sealane

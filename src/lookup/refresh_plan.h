// SPDX-License-Identifier: Apache-2.0
// What the refresher has in mind for one domain of the store.  Values in, values out.
#pragma once

#include <chrono>

#include "lookup/policy_store.h"
#include "policy/domain.h"

namespace sealane {

enum class RefreshNeed {
  nothing,
  fetch,   ///< after the time that comes with it
  forget,  ///< the row has no use any more
};

struct RefreshPlan {
  RefreshNeed need = RefreshNeed::nothing;
  std::chrono::seconds wait{0};
};

/// `running`: since the start of the daemon, or since its clock was set.
RefreshPlan plan_of(const Domain& domain, const StsMemory& memory, std::chrono::sys_seconds now,
                    std::chrono::seconds running);

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
// How a policy is written into the shared store; docs/formats.md, "Shared store".
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "lookup/policy_store.h"
#include "policy/domain.h"
#include "policy/sts_policy.h"

namespace sealane {

/// Octets of a row that are read: the largest policy, and its head; with more it is none of ours.
inline constexpr std::size_t kMaxRow = kMaxPolicyBody + 1024;

/// The key of a domain's policy, and of the lock that one node holds while it renews it.
std::string policy_key(const Domain& domain);
std::string lock_key(const Domain& domain);

std::string row_text(const Domain& domain, const StoredPolicy& policy);

/// Only exactly what row_text() writes for this domain.  Anybody may have written the row: what it
/// says is to be vetted.
Result<StoredPolicy> read_row_text(const Domain& domain, std::string_view text);

}  // namespace sealane

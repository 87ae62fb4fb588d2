// SPDX-License-Identifier: Apache-2.0
// What is known of a domain's MTA-STS policy at the moment of a decision.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "policy/sts_policy.h"

namespace sealane {

enum class StsClass {
  none,          ///< S0: TXT answered none, several or invalid; nothing cached
  enforce,       ///< S-ENF: an unexpired policy
  testing,       ///< S-TST
  mode_none,     ///< S-NON
  fetch_failed,  ///< S-FETCH: valid TXT, nothing cached, the last fetch failed at the other side
  txt_error,     ///< S-TXTERR: nothing cached, the TXT lookup failed, before the bound
  pending,       ///< S-PEND: valid TXT, nothing cached, the fetch waits or runs
  own_fault,     ///< our network, resolver or store is broken: temporary, never a verdict
};
/// "S0", "S-ENF", …
std::string_view name_of(StsClass value);

struct StsFinding {
  StsClass value = StsClass::none;
  std::optional<StsPolicy> policy;  ///< with enforce, testing, mode_none
  std::string id;                   ///< of the policy, or of the TXT record seen last
  std::string reason;               ///< one sentence for a human
  bool txt_bound_reached = false;   ///< S0 stands for a TXT error beyond the bound of row 7
  std::optional<std::chrono::sys_seconds> fetched;  ///< of the policy
  std::optional<std::chrono::sys_seconds> expires;
  std::chrono::seconds ttl{0};  ///< how long this finding may live

  bool open() const { return value == StsClass::txt_error || value == StsClass::pending; }
};

}  // namespace sealane

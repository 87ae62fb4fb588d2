// SPDX-License-Identifier: Apache-2.0
// Inputs of decide() from short words, for the tests of the decision.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "policy/decision.h"

namespace sealane {

Domain domain_of(std::string_view text);

/// A host "NAME.ex.test" with what the lookups leave behind for its state.  `state` is one of the
/// words of decision_table.txt.
HostFinding host_of(std::string_view name, std::uint16_t preference, std::string_view state);

/// A policy that names "NAME.ex.test", or "*.ex.test" for "*".
StsPolicy policy_of(StsMode mode, const std::vector<std::string_view>& names);

/// The columns of a case, as decision_table.txt explains them; throws std::runtime_error.
DaneFinding dane_of(std::string_view text);
StsFinding sts_of(std::string_view text);
/// Reads the asker into the input: dialect, settings, override, flags.
void read_asker(DecisionInput& input, std::string_view text);
DecisionInput input_of(std::string_view dane, std::string_view sts, std::string_view asker);

/// The reply to Postfix or Sendmail without a final blank, or a summary of what Exim is told.
std::string answer_text(const Decision& decision, const DecisionInput& input);

/// Notices and flags, sorted, in the words of decision_table.txt.
std::string notes_text(const Decision& decision, const DecisionInput& input);

}  // namespace sealane

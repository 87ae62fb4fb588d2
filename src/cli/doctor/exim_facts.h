// SPDX-License-Identifier: Apache-2.0
// What Exim says of itself, by `exim -bP`.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/doctor/facts.h"

namespace sealane::doctor {

/// Looks at the Exim of this configuration (empty: its own).  Nothing if there is no Exim.  Runs
/// programs and blocks; changes nothing.
std::optional<EximFacts> look_at_exim(const std::string& config_file);

/// The routers or transports in what `exim -bP routers` or `exim -bP transports` prints, of those
/// whose driver is this one.
std::vector<EximDriver> parse_drivers(std::string_view text, std::string_view driver);

}  // namespace sealane::doctor

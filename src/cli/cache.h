// SPDX-License-Identifier: Apache-2.0
// `sealane cache`: what the daemon remembers of MTA-STS policies, and what may be done to it.
#pragma once

#include <span>
#include <string>

#include "cli/console.h"

namespace sealane {

/// Runs `cache list|show|refresh|purge|stats|warm|export|import ...`.
int cache_command(std::span<const std::string> args, Console& console);

}  // namespace sealane

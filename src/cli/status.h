// SPDX-License-Identifier: Apache-2.0
// `sealane status`: how the running daemon does, on one screen.
#pragma once

#include <chrono>
#include <span>
#include <string>

#include "cli/console.h"

namespace sealane {

/// How often --watch looks.
inline constexpr std::chrono::seconds kWatchEvery{2};

/// Runs `status [--watch] [--admin unix:PATH] [--json]`: kFine, kNegative if something is wrong
/// (set-up, resolver, store, renewals that fail), kTemporary if the daemon does not answer.
int status_command(std::span<const std::string> args, Console& console);

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
// `sealane override`: the file of the operator's own policies, by command.
#pragma once

#include <chrono>
#include <ostream>
#include <span>
#include <string>

namespace sealane {

/// Exit statuses of `sealane override`; scripts rely on them.
inline constexpr int kOverrideDone = 0;
inline constexpr int kOverrideRefused = 1;  ///< the rule, or the file, is wrong
inline constexpr int kOverrideUsage = 2;
inline constexpr int kOverrideNoFile = 3;  ///< there is none, or it cannot be read or written

/// Runs a subcommand; `args` are the words behind "override":
///   list   add PLACE WORD...   remove PLACE   and [--file FILE | --config FILE] [--json].
/// `now` tells what has expired.  Blocks.  Returns the exit status.
int override_command(std::span<const std::string> args, std::chrono::sys_seconds now,
                     std::ostream& out, std::ostream& err);

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
// `sealane query`: what the running daemon answers.
#pragma once

#include <ostream>
#include <span>
#include <string>

#include "cli/console.h"

namespace sealane {

/// Exit statuses of `sealane query`; scripts rely on them.
inline constexpr int kQueryOk = kFine;
inline constexpr int kQueryNotFound = kNegative;
inline constexpr int kQueryUsage = kWrongUsage;
inline constexpr int kQueryTemporary = kTemporary;  ///< TEMP or PERM, or the daemon is silent

/// Runs `query KEY [--dialect NAME] [--admin unix:PATH] [--json]`; `args` are the words behind the
/// verb.  Prints the payload that Postfix would get; octets that a terminal might obey are shown
/// as \xNN.  Returns the exit status.
int query_command(std::span<const std::string> args, std::ostream& out, std::ostream& err);

}  // namespace sealane

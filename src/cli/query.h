// SPDX-License-Identifier: Apache-2.0
// `sealane query` and `sealane status`: what the running daemon answers, and how it does.
#pragma once

#include <ostream>
#include <span>
#include <string>

namespace sealane {

/// Exit statuses of `sealane query`; scripts rely on them.
inline constexpr int kQueryOk = 0;
inline constexpr int kQueryNotFound = 1;
inline constexpr int kQueryUsage = 2;
inline constexpr int kQueryTemporary = 3;  ///< TEMP or PERM, or the daemon does not answer

/// Runs `query KEY [--dialect NAME] [--admin unix:PATH] [--json]`; `args` are the words behind the
/// verb.  Prints the payload that Postfix would get; octets that a terminal might obey are shown
/// as \xNN (no reply has any).  Returns the exit status.
int query_command(std::span<const std::string> args, std::ostream& out, std::ostream& err);

/// Runs `status [--admin unix:PATH] [--json]`: 0, or 3 if the daemon does not answer.
int status_command(std::span<const std::string> args, std::ostream& out, std::ostream& err);

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
// `sealane explain`: why the running daemon answers as it does.
#pragma once

#include <ostream>
#include <span>
#include <string>

namespace sealane {

/// Exit statuses; scripts rely on them.
inline constexpr int kExplained = 0;
inline constexpr int kExplainUsage = 2;
inline constexpr int kNotExplained = 3;  ///< the daemon does not answer

/// Runs `explain KEY [--dialect NAME] [--live] [--admin unix:PATH] [--json]`; `args` are the words
/// behind the verb.  Returns the exit status.
int explain_command(std::span<const std::string> args, bool in_colour, std::ostream& out,
                    std::ostream& err);

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
// `sealane explain`: why the running daemon answers as it does.
#pragma once

#include <span>
#include <string>

#include "cli/console.h"

namespace sealane {

/// Runs `explain KEY [--dialect NAME] [--live] [--admin unix:PATH] [--json]`; `args` are the words
/// behind the verb.  Returns the exit status.
int explain_command(std::span<const std::string> args, const Console& console);

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
// `sealane export`: the enforced policies, for mail servers that can only read a file.
#pragma once

#include <span>
#include <string>

#include "cli/console.h"

namespace sealane {

/// Runs `export --format postfix-texthash|json [--output FILE] [--admin unix:PATH]`; `args` are the
/// words behind the verb.  docs/formats.md has the formats.  A failure leaves the old file alone.
/// Returns the exit status.
int export_command(std::span<const std::string> args, Console& console);

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
// The overrides file that policy.overrides names.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "policy/overrides.h"

namespace sealane {

/// Reads the file.  The errors, each with file, line, word and remedy, are for people.  Blocks; a
/// hundred thousand rules take some tenths of a second.
Result<Overrides, std::vector<std::string>> load_overrides(const std::string& path);

}  // namespace sealane

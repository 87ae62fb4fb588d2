// SPDX-License-Identifier: Apache-2.0
// Reading what the operator wrote.
#pragma once

#include <cstddef>
#include <string>

#include "base/result.h"

namespace sealane {

/// The whole file, which may have `limit` octets at most.  The error begins with the path.  Blocks.
Result<std::string> read_file(const std::string& path, std::size_t limit);

}  // namespace sealane

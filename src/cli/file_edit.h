// SPDX-License-Identifier: Apache-2.0
// Changes a file that others read: whoever opens it sees the old text or the new one.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sealane {

/// Makes the new text of a file out of the old one, or says why there is none.
using TextEdit = std::function<Result<std::string>(std::string_view)>;

/// Replaces the text of `path`, which has at most `limit` octets, by what `edit` makes of it; a
/// file that is not there counts as empty.  Owner and mode stay, a new file has mode 0644.  The
/// text is on disk when this returns.  A second writer waits for the first (a lock on the
/// directory). Refuses what is not a plain file, a symbolic link above all.  After a failure the
/// old file is untouched.  Blocks.
Result<void> edit_file(const std::string& path, std::size_t limit, const TextEdit& edit);

}  // namespace sealane

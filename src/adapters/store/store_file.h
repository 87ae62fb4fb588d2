// SPDX-License-Identifier: Apache-2.0
// The store as a file: is it one of ours, and how to get a bad one out of the way.
#pragma once

#include <optional>
#include <string>

#include "adapters/store/sqlite_database.h"
#include "base/result.h"

namespace sealane {

enum class FileKind { missing, store };

/// Looks at the file without changing anything: what is not ours is never handed to SQLite, which
/// might write to it.
tl::expected<FileKind, StoreRefusal> inspect_store_file(const std::string& path);

/// Reads the file from front to back, so that it is in memory when SQLite checks it in the order of
/// its trees: out of a disk's 280 MB that took 8 s, and 2 s after this.  Not while a connection of
/// this process is open: closing any descriptor of the file gives up its locks.
void read_ahead(const std::string& path);

/// Makes a file appear with mode 0600, complete or not at all; one that is there already stays.
/// `fill` gets the name under which to write it.
Result<void> create_store_file(const std::string& path,
                               const std::function<Result<void>(const std::string&)>& fill);

/// Renames the file and what belongs to it, and returns the new name.
Result<std::string> set_store_aside(const std::string& path);

}  // namespace sealane

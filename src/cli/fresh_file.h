// SPDX-License-Identifier: Apache-2.0
// A new file that takes the place of an old one only when it is whole: whoever opens the name sees
// the old text or the new one.
#pragma once

#include <sys/stat.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/descriptor.h"
#include "base/result.h"

namespace sealane {

/// Anybody who may read the directory can hold its lock: then it is better to fail than to hang.
inline constexpr std::chrono::seconds kLockPatience{10};

/// Blocks.  Until commit() nothing but a hidden file beside the old one has changed, and that goes
/// with this object.
class FreshFile {
 public:
  /// Waits until no other FreshFile of this directory is at work (flock(2)), kLockPatience at most.
  /// Nothing is written yet.
  static Result<std::unique_ptr<FreshFile>> open(const std::string& path);
  FreshFile(const FreshFile&) = delete;
  FreshFile& operator=(const FreshFile&) = delete;
  ~FreshFile();

  /// Of the file, without its directory.
  const std::string& name() const { return name_; }
  /// Everything goes through the directory that is open, so that nobody can put another in its
  /// place.
  int directory() const { return directory_.get(); }
  /// After create().
  int descriptor() const { return file_.get(); }

  /// Begins the file; the umask takes its bits off `mode`.
  Result<void> create(mode_t mode);
  Result<void> write(std::string_view text);
  /// Owner, group and mode of the file whose place it takes.
  Result<void> take_rights(const struct stat& rights);
  /// The text is on disk under its name when this returns.
  Result<void> commit();

 private:
  FreshFile(Descriptor directory, std::string name, std::string path)
      : directory_(std::move(directory)), name_(std::move(name)), path_(std::move(path)) {}
  std::string hidden() const { return "." + name_ + ".new"; }
  tl::unexpected<std::string> trouble() const;

  Descriptor directory_;
  Descriptor file_;  ///< none before create() and after commit()
  std::string name_;
  std::string path_;
};

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
#include "cli/fresh_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <thread>
#include <utility>

namespace sealane {
namespace {

constexpr std::chrono::milliseconds kLockAgain{100};

bool lock(int directory) {
  const auto end = std::chrono::steady_clock::now() + kLockPatience;
  while (::flock(directory, LOCK_EX | LOCK_NB) != 0) {
    const bool is_held = errno == EWOULDBLOCK || errno == EINTR;
    if (!is_held || std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(kLockAgain);
  }
  return true;
}

}  // namespace

Result<std::unique_ptr<FreshFile>> FreshFile::open(const std::string& path) {
  const std::filesystem::path whole(path);
  const std::string name = whole.filename();
  const std::string parent = whole.has_parent_path() ? whole.parent_path().string() : ".";
  if (name.empty() || name == "." || name == "..") return failure("{}: is no file name", path);
  Descriptor directory(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return failure("{}: {}", parent, std::strerror(errno));
  if (!lock(directory.get())) {
    return failure("{}: its lock is held by another process (see lslocks): {}", parent,
                   std::strerror(errno));
  }
  return std::unique_ptr<FreshFile>(new FreshFile(std::move(directory), name, path));
}

FreshFile::~FreshFile() {
  if (file_) ::unlinkat(directory(), hidden().c_str(), 0);
}

Result<void> FreshFile::create(mode_t mode) {
  // One name is enough: who holds the lock is alone, and what lies there is left of a crash.
  ::unlinkat(directory(), hidden().c_str(), 0);
  file_ = Descriptor(::openat(directory(), hidden().c_str(),
                              O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
  if (!file_) return trouble();
  return {};
}

Result<void> FreshFile::write(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(descriptor(), text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return trouble();
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Result<void> FreshFile::take_rights(const struct stat& rights) {
  const bool is_same = rights.st_uid == ::geteuid() && rights.st_gid == ::getegid();
  // Owner before mode: a change of owner may take bits off.
  if (!is_same && ::fchown(descriptor(), rights.st_uid, rights.st_gid) != 0) return trouble();
  if (::fchmod(descriptor(), rights.st_mode & 07777) != 0) return trouble();
  return {};
}

Result<void> FreshFile::commit() {
  const bool good = ::fsync(descriptor()) == 0 &&
                    ::renameat(directory(), hidden().c_str(), directory(), name_.c_str()) == 0;
  if (!good) return trouble();
  file_.reset();
  if (::fsync(directory()) != 0) return trouble();
  return {};
}

tl::unexpected<std::string> FreshFile::trouble() const {
  return failure("{}: {}", path_, std::strerror(errno));
}

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
#include "cli/file_edit.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include "base/descriptor.h"
#include "cli/fresh_file.h"

namespace sealane {
namespace {

constexpr mode_t kNewFileMode = 0644;  // the daemon, under its own user, reads it

tl::unexpected<std::string> trouble(const std::string& path) {
  return failure("{}: {}", path, std::strerror(errno));
}

struct OldFile {
  std::string text;
  std::optional<struct stat> rights;  ///< absent: there is no file yet
};

Result<std::string> read_all(int descriptor, const std::string& path, std::size_t limit) {
  std::string text;
  std::array<char, 64 * 1024> room;
  for (;;) {
    const ssize_t got = ::read(descriptor, room.data(), room.size());
    if (got == 0) return text;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return trouble(path);
    text.append(room.data(), static_cast<std::size_t>(got));
    if (text.size() > limit) return failure("{}: larger than {} octets", path, limit);
  }
}

Result<OldFile> read_old(int directory, const std::string& name, const std::string& path,
                         std::size_t limit) {
  // O_NONBLOCK: a FIFO would block before it can be refused.
  const Descriptor file(
      ::openat(directory, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file && errno == ENOENT) return OldFile{};
  if (!file && errno == ELOOP) {
    return failure("{}: is a symbolic link; name the file that it points to", path);
  }
  if (!file) return trouble(path);
  struct stat rights {};
  if (::fstat(file.get(), &rights) != 0) return trouble(path);
  if (!S_ISREG(rights.st_mode)) return failure("{}: is no plain file", path);
  auto text = read_all(file.get(), path, limit);
  if (!text) return tl::unexpected(text.error());
  return OldFile{*std::move(text), rights};
}

}  // namespace

Result<void> edit_file(const std::string& path, std::size_t limit, const TextEdit& edit) {
  const auto opened = FreshFile::open(path);
  if (!opened) return tl::unexpected(opened.error());
  FreshFile& fresh = **opened;
  const auto old = read_old(fresh.directory(), fresh.name(), path, limit);
  if (!old) return tl::unexpected(old.error());
  const Result<std::string> text = edit(old->text);
  if (!text) return tl::unexpected(text.error());
  if (text->size() > limit) return failure("{}: would be larger than {} octets", path, limit);
  if (auto created = fresh.create(0600); !created) return created;
  if (auto written = fresh.write(*text); !written) return written;
  if (!old->rights && ::fchmod(fresh.descriptor(), kNewFileMode) != 0) return trouble(path);
  if (old->rights) {
    if (auto taken = fresh.take_rights(*old->rights); !taken) return taken;
  }
  return fresh.commit();
}

}  // namespace sealane

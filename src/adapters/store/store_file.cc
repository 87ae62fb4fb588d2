// SPDX-License-Identifier: Apache-2.0
#include "adapters/store/store_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <vector>

#include "base/descriptor.h"

namespace sealane {
namespace {

constexpr mode_t kMode = 0600;  // whom our mail goes to is nobody's business
constexpr std::array<const char*, 2> kCompanions{"-wal", "-shm"};

// https://www.sqlite.org/fileformat.html, 1.3
constexpr std::string_view kMagic{"SQLite format 3\0", 16};
constexpr std::size_t kApplicationIdOffset = 68;
constexpr std::size_t kHeaderSize = 100;

constexpr std::size_t kReadAhead = 1024 * 1024;  // octets at a time: a disk's best

tl::unexpected<StoreRefusal> refuse(const std::string& path, std::string_view text) {
  return tl::unexpected(StoreRefusal{fmt::format("store {}: {}", path, text), false});
}

tl::unexpected<StoreRefusal> bad_file(const std::string& path, std::string_view text) {
  return tl::unexpected(StoreRefusal{fmt::format("store {}: {}", path, text), true});
}

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

std::string folder_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

tl::expected<FileKind, StoreRefusal> inspect_header(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::array<unsigned char, kHeaderSize> header{};
  const ssize_t size = file.get() < 0 ? -1 : ::pread(file.get(), header.data(), kHeaderSize, 0);
  if (size < 0) return refuse(path, std::strerror(errno));
  if (size == 0) return bad_file(path, "the file is empty, which a store never is");
  if (static_cast<std::size_t>(size) < kHeaderSize ||
      std::memcmp(header.data(), kMagic.data(), kMagic.size()) != 0) {
    return bad_file(path, "not a SQLite database, or its header is damaged");
  }
  unsigned id = 0;
  for (std::size_t i = 0; i < 4; ++i) id = id << 8 | header[kApplicationIdOffset + i];
  if (id != static_cast<unsigned>(kStoreApplicationId)) {
    return bad_file(path, fmt::format("a database of another program (application_id {:#x})", id));
  }
  return FileKind::store;
}

}  // namespace

tl::expected<FileKind, StoreRefusal> inspect_store_file(const std::string& path) {
  const std::string folder = folder_of(path);
  if (::access(folder.c_str(), R_OK | W_OK | X_OK) != 0) {
    return refuse(path, fmt::format("folder {}: {}", folder, std::strerror(errno)));
  }
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    if (errno != ENOENT) return refuse(path, std::strerror(errno));
    // A log without its database: somebody lost the one and not the other.
    if (exists(path + "-wal")) return bad_file(path, "missing, although its -wal file is there");
    return FileKind::missing;
  }
  if (S_ISDIR(status.st_mode)) return refuse(path, "a directory");
  if (!S_ISREG(status.st_mode)) return refuse(path, "not a regular file");
  if (::access(path.c_str(), R_OK | W_OK) != 0) return refuse(path, std::strerror(errno));
  return inspect_header(path);
}

void read_ahead(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::vector<char> room(kReadAhead);
  while (::read(file.get(), room.data(), room.size()) > 0) {
  }
}

Result<void> create_store_file(const std::string& path,
                               const std::function<Result<void>(const std::string&)>& fill) {
  const std::string draft = fmt::format("{}.new-{}", path, ::getpid());
  ::unlink(draft.c_str());  // of a process with our number that died here
  {
    const Descriptor file(::open(draft.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, kMode));
    if (file.get() < 0) return failure("store {}: {}", draft, std::strerror(errno));
  }
  const auto filled = fill(draft);
  // link() and not rename(): another process may have made the store meanwhile.
  const bool linked = filled && ::link(draft.c_str(), path.c_str()) == 0;
  const int error = linked || !filled || errno == EEXIST ? 0 : errno;
  ::unlink(draft.c_str());
  if (!filled) return filled;
  if (error != 0) return failure("store {}: {}", path, std::strerror(error));
  const Descriptor folder(::open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() < 0 || ::fsync(folder.get()) != 0) {
    return failure("store {}: folder: {}", path, std::strerror(errno));
  }
  return {};
}

Result<std::string> set_store_aside(const std::string& path) {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  std::array<char, 32> stamp{};
  std::strftime(stamp.data(), stamp.size(), "%Y%m%dT%H%M%SZ", &parts);
  const std::string base = fmt::format("{}.bad-{}", path, stamp.data());
  std::string aside = base;
  for (int i = 1; exists(aside) || exists(aside + "-wal"); ++i)
    aside = fmt::format("{}.{}", base, i);
  // The log first: left behind alone, SQLite would replay it into the new database.
  for (const char* companion : kCompanions) {
    const bool moved = std::rename((path + companion).c_str(), (aside + companion).c_str()) == 0;
    if (!moved && errno != ENOENT) {
      return failure("store {}{}: {}", path, companion, std::strerror(errno));
    }
  }
  if (std::rename(path.c_str(), aside.c_str()) != 0 && errno != ENOENT) {
    return failure("store {}: {}", path, std::strerror(errno));
  }
  return aside;
}

}  // namespace sealane

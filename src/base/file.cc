// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>

namespace sealane {
namespace {

/// Octets read at a time: most files are one piece, and a large limit costs no memory.
constexpr std::size_t kPiece = 64 * 1024;

}  // namespace

Result<std::string> read_file(const std::string& path, std::size_t limit) {
  std::error_code problem;
  if (std::filesystem::is_directory(path, problem)) return failure("{}: is a directory", path);
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) return failure("{}: {}", path, std::strerror(errno));
  std::string text;
  while (file && text.size() <= limit) {
    const std::size_t before = text.size();
    text.resize(before + std::min(kPiece, limit + 1 - before));
    file.read(text.data() + before, static_cast<std::streamsize>(text.size() - before));
    text.resize(before + static_cast<std::size_t>(file.gcount()));
  }
  if (file.bad()) return failure("{}: {}", path, std::strerror(errno));
  if (text.size() > limit) return failure("{}: larger than {} octets", path, limit);
  return text;
}

}  // namespace sealane

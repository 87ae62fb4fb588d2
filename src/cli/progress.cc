// SPDX-License-Identifier: Apache-2.0
#include "cli/progress.h"

#include <fmt/format.h>

#include <algorithm>

namespace sealane {
namespace {

constexpr std::size_t kWidth = 30;
/// Erases to the end of the line (ECMA-48 8.3.41).
constexpr std::string_view kEraseRest = "\x1b[K";

}  // namespace

std::string bar_of(std::size_t done, std::size_t all, std::size_t width) {
  const std::size_t full = all == 0 ? width : width * std::min(done, all) / all;
  return "[" + std::string(full, '#') + std::string(width - full, '.') + "]";
}

Progress::Progress(Console& console, std::size_t all)
    : err_(console.err_is_terminal ? &console.err : nullptr), all_(all) {}

Progress::~Progress() {
  if (err_) *err_ << '\n';
}

void Progress::show(std::size_t done, std::string_view text) {
  if (!err_) return;
  *err_ << fmt::format("\r{} {}/{}  {}{}", bar_of(done, all_, kWidth), done, all_, text, kEraseRest)
        << std::flush;
}

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
// Runs a program of this machine, without a shell and within limits, and takes what it says.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sealane::doctor {

/// Longest run: postconf and `exim -bP` read files and take tenths of a second, more on a machine
/// that is busy.
inline constexpr std::chrono::seconds kChildPatience{20};
/// Most octets taken of each stream: a long main.cf has some 100 KiB.
inline constexpr std::size_t kMaxChildOutput = 4 * 1024 * 1024;

struct ChildOutput {
  int status = 0;  ///< of exit(3); 128 + N after signal N
  std::string out;
  std::string err;
};

/// Where a program is: in PATH, or in the directories of system programs, which PATH often lacks.
std::optional<std::string> find_program(std::string_view name);

/// Runs argv[0], a path, to its end.  Fails if it cannot be started, talks too much or takes too
/// long; it is killed then.  Blocks.
Result<ChildOutput> run_child(const std::vector<std::string>& argv);

}  // namespace sealane::doctor

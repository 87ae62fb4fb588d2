// SPDX-License-Identifier: Apache-2.0
// How far a long run is: one line that is written over and over on a terminal, nothing elsewhere.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "cli/console.h"

namespace sealane {

class Progress {
 public:
  /// `all`: how many steps there are.  On the console's standard error.
  Progress(Console& console, std::size_t all);
  /// Ends the line.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `done` steps; `text` tells of them.
  void show(std::size_t done, std::string_view text);

 private:
  std::ostream* err_;  ///< null: no terminal
  const std::size_t all_;
};

/// "[#####.....]"
std::string bar_of(std::size_t done, std::size_t all, std::size_t width);

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
// Where a verb reads and writes, and what may be assumed of it; and how verbs end.
#pragma once

#include <istream>
#include <ostream>

namespace sealane {

/// Exit statuses; scripts rely on them.
inline constexpr int kFine = 0;
inline constexpr int kNegative = 1;  ///< "no", or something is wrong
inline constexpr int kWrongUsage = 2;
inline constexpr int kTemporary = 3;  ///< could not find out: the daemon does not answer

struct Console {
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
  bool in_is_terminal = false;
  bool out_is_terminal = false;
  bool err_is_terminal = false;
  bool in_colour = false;

  /// Standard input, output and error of this process.
  static Console standard();
};

}  // namespace sealane

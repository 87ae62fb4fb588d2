// SPDX-License-Identifier: Apache-2.0
// One remark of a parser about what a domain publishes.
#pragma once

#include <string>

namespace sealane {

struct LintFinding {
  enum class Severity { note, warning, error };
  int line = 0;    ///< from 1; 0 = the whole text
  int column = 0;  ///< octet from 1; 0 = the whole line
  Severity severity = Severity::error;
  std::string code;  ///< stable and short, such as "blank-line"
  std::string text;  ///< one sentence; foreign parts are escaped
};

}  // namespace sealane

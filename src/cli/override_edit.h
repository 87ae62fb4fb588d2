// SPDX-License-Identifier: Apache-2.0
// Adds and removes rules in the text of an overrides file; all other lines stay as they are.  Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sealane {

/// A rule's line out of the words of a command line, from which a shell has taken the quotes:
/// {".example.net", "dane=off", "reason=ticket 4711"} => .example.net dane=off reason="ticket 4711"
std::string override_line(std::span<const std::string> words);

struct OverrideEdit {
  std::string text;   ///< the new text of the file
  std::string place;  ///< of the rule, as the parser writes it
  std::string rule;   ///< the rule as the parser understood it
  int line = 0;       ///< where it is, or was
};

/// Appends the line.  Fails, each error with its line, if the file or the line has any, and if the
/// place has a rule already.  `file` is for the errors.
Result<OverrideEdit> add_override(std::string_view text, std::string_view line,
                                  std::string_view file);

/// Takes out the line of the rule for this place, written in any way.
Result<OverrideEdit> remove_override(std::string_view text, std::string_view place,
                                     std::string_view file);

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
// The lines of the operator's own tables (overrides, access): words between blanks, `word` or
// `key=value`, values in quotes where they have blanks, "#" begins a comment.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sealane {

/// `observe`, or a key and its value without the quotes.  Refers to the line.
struct LineWord {
  std::string_view text;
  std::string_view key;
  std::optional<std::string_view> value;
};

/// The words of a line up to its comment.  The error names the word and the remedy.  Pure.
Result<std::vector<LineWord>> words_of_line(std::string_view line);

/// What no line may have, whatever it says: more than `limit` octets, what is no UTF-8, control
/// characters.  Pure.
Result<void> check_line(std::string_view line, std::size_t limit);

}  // namespace sealane

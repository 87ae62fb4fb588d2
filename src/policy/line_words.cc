// SPDX-License-Identifier: Apache-2.0
#include "policy/line_words.h"

#include <algorithm>

#include "base/text.h"

namespace sealane {
namespace {

/// Octets of a wrong word that are shown: with file, line and remedy it fits a log line.
constexpr std::size_t kMaxShownWord = 60;

std::string shown(std::string_view word) { return escape(word, kMaxShownWord); }

/// Cuts one word off the front of `rest`, which does not begin with a blank.
Result<LineWord> take_word(std::string_view& rest) {
  LineWord word;
  const std::size_t blank = std::min(rest.find_first_of(" \t"), rest.size());
  const std::size_t equals = rest.find('=');
  std::size_t length = blank;
  if (equals < blank) {
    std::string_view value = rest.substr(equals + 1);
    const bool is_quoted = value.starts_with('"') || value.starts_with('\'');
    if (is_quoted) {
      const std::size_t end = value.find(value.front(), 1);
      if (end == std::string_view::npos) {
        return failure("\"{}\": the quote is not closed", shown(rest.substr(0, blank)));
      }
      length = equals + 1 + end + 1;
      value = value.substr(1, end - 1);
    } else {
      value = rest.substr(equals + 1, blank - equals - 1);
    }
    word.value = value;
  }
  word.text = rest.substr(0, length);
  word.key = word.value ? rest.substr(0, equals) : word.text;
  rest.remove_prefix(length);
  const bool is_glued = !rest.empty() && rest.front() != ' ' && rest.front() != '\t';
  if (is_glued) return failure("\"{}\": put a blank behind the quote", shown(word.text));
  return word;
}

}  // namespace

Result<std::vector<LineWord>> words_of_line(std::string_view line) {
  std::vector<LineWord> found;
  for (std::string_view rest = trim(line); !rest.empty(); rest = trim(rest)) {
    if (rest.front() == '#') break;
    auto word = take_word(rest);
    if (!word) return tl::unexpected(std::move(word.error()));
    found.push_back(*word);
  }
  return found;
}

Result<void> check_line(std::string_view line, std::size_t limit) {
  if (line.size() > limit) {
    return failure("the line has {} octets; at most {} are allowed", line.size(), limit);
  }
  const auto bad = find_bad_utf8(line);
  if (bad != std::string_view::npos) {
    return failure("octet {} is no UTF-8; save the file as UTF-8", bad + 1);
  }
  const auto control = std::find_if(line.begin(), line.end(), [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
  });
  if (control == line.end()) return {};
  return failure("octet {} is a control character; remove it", control - line.begin() + 1);
}

}  // namespace sealane

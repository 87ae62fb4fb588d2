// SPDX-License-Identifier: Apache-2.0
// Exim's side of fixed_answer.h: a line that ${extract{key}{line}} takes apart.
#include <algorithm>
#include <array>
#include <map>
#include <string>

#include "base/text.h"
#include "policy/fixed_answer.h"

namespace sealane {
namespace {

/// Octets of a wrong word that are shown: with file, line and remedy it fits a log line.
constexpr std::size_t kMaxShownWord = 60;

std::string shown(std::string_view word) { return escape(word, kMaxShownWord); }

constexpr std::array<std::string_view, 6> kLevels{"none", "may",    "encrypt",
                                                  "dane", "secure", "temp"};
constexpr std::string_view kLevelList = "none, may, encrypt, dane, secure, temp";

using Values = std::map<std::string, std::string, std::less<>>;

/// Cuts `key=value` or `key="value"` off the front of `rest`.
Result<std::string> take_word(std::string_view& rest, Values& values) {
  const std::size_t equals = rest.find('=');
  const std::size_t blank = std::min(rest.find(' '), rest.size());
  if (equals == std::string_view::npos || equals > blank) {
    return failure("\"{}\" is no key=value", shown(rest.substr(0, blank)));
  }
  const std::string key(rest.substr(0, equals));
  rest.remove_prefix(equals + 1);
  const bool is_quoted = rest.starts_with('"');
  if (is_quoted) rest.remove_prefix(1);
  const std::size_t end = std::min(rest.find(is_quoted ? '"' : ' '), rest.size());
  if (is_quoted && end == rest.size()) return failure("{}=\" has no closing quote", shown(key));
  const std::string value(rest.substr(0, end));
  rest.remove_prefix(std::min(end + (is_quoted ? 1 : 0), rest.size()));
  if (!rest.empty() && rest.front() != ' ') {
    return failure("{}=\"{}\" needs a blank behind its closing quote", shown(key), shown(value));
  }
  rest = trim(rest);
  const bool has_quote = value.find('"') != std::string::npos;
  if (has_quote) return failure("{}={}: quote the whole value", shown(key), shown(value));
  if (value.empty()) return failure("{}= has no value; give one or leave it out", shown(key));
  if (!values.emplace(key, value).second) {
    return failure("{}= is given twice; keep one", shown(key));
  }
  return key;
}

Result<void> check_key(const std::string& key, const Values& values) {
  const std::string& level = values.find("level")->second;
  const std::string& value = values.find(key)->second;
  if (key == "level" || key == "reason") return {};
  if (key == "ignore") {
    if (level == "secure") return {};
    return failure("ignore= goes with level=secure only; leave it out");
  }
  if (key == "dane") {
    if (value != "no") return failure("dane={}: write dane=no, or leave it out", shown(value));
    if (level == "may" || level == "encrypt" || level == "secure") return {};
    return failure("dane=no goes with level may, encrypt or secure; leave it out");
  }
  if (key == "mode") {
    if (value == "testing" && level == "may") return {};
    return failure("mode={}: write mode=testing with level=may, or leave it out", shown(value));
  }
  if (key == "match") {
    if (values.contains("mode")) return {};
    return failure("match= goes with mode=testing only; for level=secure use ignore=");
  }
  return failure("unknown key \"{}\"; there are level, ignore, dane, mode, match, reason",
                 shown(key));
}

}  // namespace

Result<void> check_exim_answer(std::string_view text) {
  const bool is_visible =
      std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
  if (!is_visible) return failure("not all is printable ASCII; write names as A-labels (xn--)");
  if (text.find('\\') != std::string_view::npos) {
    return failure("a backslash does not survive in Exim; write [.] instead of \\.");
  }
  Values values;
  std::string_view rest = trim(text);
  while (!rest.empty()) {
    const auto key = take_word(rest, values);
    if (!key) return tl::unexpected(key.error());
    if (values.size() == 1 && *key != "level") break;
  }
  const auto level = values.find("level");
  if (level == values.end() || !trim(text).starts_with("level=")) {
    return failure("the line begins with level=, one of {}", kLevelList);
  }
  if (std::find(kLevels.begin(), kLevels.end(), level->second) == kLevels.end()) {
    return failure("level={}: levels are {}", shown(level->second), kLevelList);
  }
  if (level->second == "secure" && !values.contains("ignore")) {
    return failure(
        "level=secure needs ignore= with the MX hosts that are not to be used; any host with a "
        "good certificate would do otherwise");
  }
  for (const auto& [key, value] : values) {
    auto checked = check_key(key, values);
    if (!checked) return checked;
  }
  return {};
}

}  // namespace sealane

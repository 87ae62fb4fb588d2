// SPDX-License-Identifier: Apache-2.0
#include "server/postfix_words.h"

#include <algorithm>
#include <cstdint>

#include "base/text.h"
#include "policy/domain.h"

namespace sealane {
namespace {

constexpr std::string_view kSeparators = " \t\r\n,";  ///< between the words of a policy text

bool is_name_octet(char c) {
  return is_lower(c) || is_digit(c) || c == '.' || c == '-' || c == '_';
}

bool is_visible(char c) { return c >= ' ' && c <= '~'; }

/// Read by Postfix as the MX name or the destination, whatever that is.
bool is_match_keyword(std::string_view text) {
  return text == "hostname" || text == "nexthop" || text == "dot-nexthop";
}

bool is_plain_name(std::string_view text) {
  if (text.empty() || text.size() > kMaxDomainLength) return false;
  if (text.front() == '.' || text.back() == '.') return false;
  if (text.find("..") != std::string_view::npos) return false;
  return std::all_of(text.begin(), text.end(), is_name_octet);
}

std::vector<std::string_view> policy_words(std::string_view text) {
  std::vector<std::string_view> found;
  for (;;) {
    const auto begin = text.find_first_not_of(kSeparators);
    if (begin == std::string_view::npos) return found;
    text.remove_prefix(begin);
    const auto end = std::min(text.find_first_of(kSeparators), text.size());
    found.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
}

/// The number of octets that follow a first octet of UTF-8; -1 when it is none.
int continuation_octets(std::uint8_t first) {
  if (first < 0x80) return 0;
  if (first >= 0xc2 && first <= 0xdf) return 1;
  if (first >= 0xe0 && first <= 0xef) return 2;
  if (first >= 0xf0 && first <= 0xf4) return 3;
  return -1;
}

/// The code point at the start of `text`, which is cut off; nothing when it is not UTF-8.
std::optional<std::uint32_t> take_code_point(std::string_view& text) {
  const auto octet = [&text](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const int more = continuation_octets(octet(0));
  if (more < 0 || text.size() <= static_cast<std::size_t>(more)) return std::nullopt;
  constexpr std::uint32_t kFirstMask[] = {0x7f, 0x1f, 0x0f, 0x07};
  std::uint32_t point = octet(0) & kFirstMask[more];
  for (int i = 1; i <= more; ++i) {
    const std::uint8_t next = octet(static_cast<std::size_t>(i));
    if ((next & 0xc0) != 0x80) return std::nullopt;
    point = (point << 6) | (next & 0x3f);
  }
  constexpr std::uint32_t kSmallest[] = {0, 0x80, 0x800, 0x10000};
  const bool is_surrogate = point >= 0xd800 && point <= 0xdfff;
  if (point < kSmallest[more] || is_surrogate || point > 0x10ffff) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(more) + 1);
  return point;
}

}  // namespace

std::optional<PolicyName> policy_name(std::string_view text) {
  const bool is_wildcard = text.starts_with("*.");
  const std::string_view name = is_wildcard ? text.substr(2) : text;
  if (!is_plain_name(name)) return std::nullopt;
  if (is_wildcard) return PolicyName{"." + std::string(name), std::string(text)};
  if (is_match_keyword(name)) return std::nullopt;
  return PolicyName{std::string(name), std::string(name)};
}

std::vector<PolicyName> names_of_match(std::string_view policy_text) {
  constexpr std::string_view kAttribute = "match=";
  std::vector<PolicyName> names;
  for (std::string_view word : policy_words(policy_text)) {
    if (lower_ascii(word.substr(0, kAttribute.size())) != kAttribute) continue;
    for (std::string_view item : split(word.substr(kAttribute.size()), ':')) {
      const std::string text = (item.starts_with('.') ? "*" : "") + lower_ascii(item);
      if (auto name = policy_name(text)) names.push_back(std::move(*name));
    }
  }
  return names;
}

bool is_postfix_hostname(std::string_view text) {
  if (!is_plain_name(text)) return false;
  bool is_numeric = true;
  for (std::string_view label : split(text, '.')) {
    if (label.size() > kMaxLabelLength) return false;
    if (label.front() == '-' || label.back() == '-') return false;
    is_numeric = is_numeric && std::all_of(label.begin(), label.end(), is_digit);
  }
  return !is_numeric;
}

bool is_policy_string(std::string_view line) {
  if (trim(line).empty() || line.find_first_of("{}") != std::string_view::npos) return false;
  while (!line.empty()) {
    const auto point = take_code_point(line);
    if (!point || *point < 0x20 || (*point >= 0x7f && *point <= 0x9f)) return false;
  }
  return true;
}

bool is_fixed_reply(std::string_view text) {
  return !trim(text).empty() && std::all_of(text.begin(), text.end(), is_visible);
}

std::string first_word(std::string_view policy_text) {
  const auto found = policy_words(policy_text);
  return found.empty() ? std::string() : lower_ascii(found.front());
}

std::string printable(std::string_view text) {
  std::string out(text);
  std::replace_if(
      out.begin(), out.end(), [](char c) { return !is_visible(c); }, '?');
  return out;
}

}  // namespace sealane

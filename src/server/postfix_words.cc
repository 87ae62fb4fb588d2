// SPDX-License-Identifier: Apache-2.0
#include "server/postfix_words.h"

#include <algorithm>
#include <cstdint>

#include "base/text.h"
#include "policy/domain.h"

namespace sealane {
namespace {

constexpr std::string_view kSeparators = " \t\r\n,";  ///< between the words of a list

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

/// C0, DEL and, in UTF-8, C1 control characters.
bool has_control(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto octet = static_cast<std::uint8_t>(text[i]);
    if (octet < 0x20 || octet == 0x7f) return true;
    const bool is_c1 =
        octet == 0xc2 && i + 1 < text.size() && static_cast<std::uint8_t>(text[i + 1]) <= 0x9f;
    if (is_c1) return true;
  }
  return false;
}

}  // namespace

std::vector<std::string_view> postfix_list(std::string_view text) {
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
  for (std::string_view word : postfix_list(policy_text)) {
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
  return find_bad_utf8(line) == std::string_view::npos && !has_control(line);
}

bool is_fixed_reply(std::string_view text) {
  return !trim(text).empty() && std::all_of(text.begin(), text.end(), is_visible);
}

std::string first_word(std::string_view policy_text) {
  const auto found = postfix_list(policy_text);
  return found.empty() ? std::string() : lower_ascii(found.front());
}

std::string printable(std::string_view text) {
  std::string out(text);
  std::replace_if(
      out.begin(), out.end(), [](char c) { return !is_visible(c); }, '?');
  return out;
}

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
#include "server/netstring.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/text.h"

namespace sealane {

Netstring parse_netstring(std::string_view text, std::size_t limit) {
  constexpr Netstring incomplete;
  constexpr Netstring junk{Netstring::Status::junk, {}, 0};

  std::size_t digits = 0;
  std::size_t length = 0;
  for (; digits < text.size() && is_digit(text[digits]); ++digits) {
    if (digits == kMaxNetstringDigits) return junk;
    if (digits > 0 && length == 0) return junk;  // a leading zero
    length = length * 10 + static_cast<std::size_t>(text[digits] - '0');
  }
  if (length > limit) return junk;
  if (digits == text.size()) return incomplete;
  if (digits == 0 || text[digits] != ':') return junk;

  const std::size_t comma = digits + 1 + length;
  if (text.size() <= comma) return incomplete;
  if (text[comma] != ',') return junk;
  return {Netstring::Status::complete, text.substr(digits + 1, length), comma + 1};
}

void append_netstring(std::string& out, std::string_view payload) {
  std::array<char, 20> digits;
  const auto end = std::to_chars(digits.begin(), digits.end(), payload.size()).ptr;
  out.append(digits.begin(), end);
  out.push_back(':');
  out.append(payload);
  out.push_back(',');
}

}  // namespace sealane

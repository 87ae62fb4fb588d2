// SPDX-License-Identifier: Apache-2.0
// Small text tools.  Everything here is pure, ASCII only and free of locales.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sealane {

/// Longest piece of foreign text that enters a log line or a reason, in octets before escaping.
inline constexpr std::size_t kMaxForeignText = 256;

/// Makes text from the network fit for a log line or a terminal: octets outside printable ASCII,
/// and the backslash, become \xNN; what exceeds `limit` octets is cut and marked with "...".
std::string escape(std::string_view text, std::size_t limit = kMaxForeignText);

/// The same for text of which the foreign parts are escaped already: backslashes stay.
std::string escape_again(std::string_view text, std::size_t limit = kMaxForeignText);

/// Rewrites a JSON text so that it is printable ASCII with the same meaning: other characters,
/// which only strings can hold, become \uXXXX; octets that are no UTF-8 become U+FFFD.
std::string ascii_json(std::string_view text);

/// Folds A-Z to a-z and leaves every other octet alone.
std::string lower_ascii(std::string_view text);

/// Cuts the given octets off both ends.
std::string_view trim(std::string_view text, std::string_view blanks = " \t");

/// Splits at every `separator`; N separators give N+1 pieces, which may be empty.
std::vector<std::string_view> split(std::string_view text, char separator);
/// The parts of a temporary would outlive it.
template <std::same_as<std::string> Temporary>
std::vector<std::string_view> split(Temporary&& text, char separator) = delete;

/// Splits at runs of blanks and tabs; there are no empty pieces.
std::vector<std::string_view> words(std::string_view text);
template <std::same_as<std::string> Temporary>
std::vector<std::string_view> words(Temporary&& text) = delete;

/// A decimal number of digits only (no sign, no blanks) that is at most `max`.
std::optional<std::uint64_t> parse_decimal(std::string_view text, std::uint64_t max);

/// Lower-case hexadecimal digits, two an octet.
std::string to_hex(std::span<const std::uint8_t> octets);

/// Reads an even number of hexadecimal digits of either case.
std::optional<std::vector<std::uint8_t>> from_hex(std::string_view digits);

/// The offset of the first octet that is no well-formed UTF-8 (RFC 3629); npos if all is.
std::size_t find_bad_utf8(std::string_view text);

/// True for a dotted quad or an IPv6 address, as inet_pton(3) reads them.
bool is_ip_address(std::string_view text);

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
constexpr bool is_alpha(char c) { return is_lower(c) || (c >= 'A' && c <= 'Z'); }

}  // namespace sealane

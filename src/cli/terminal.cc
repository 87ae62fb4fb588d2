// SPDX-License-Identifier: Apache-2.0
#include "cli/terminal.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "base/text.h"

namespace sealane {
namespace {

/// The parameters of "Select Graphic Rendition" (ECMA-48 8.3.117).
std::string_view rendition(Tone tone) {
  switch (tone) {
    case Tone::plain:
      return "0";
    case Tone::good:
      return "32";
    case Tone::care:
      return "33";
    case Tone::bad:
      return "31";
    case Tone::strong:
      return "1";
    case Tone::faint:
      return "2";
  }
  return "0";
}

std::string_view variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view() : value;
}

/// Code points that print nothing of their own, or change how others are printed: controls, and
/// those by which text pretends to be another (Unicode, Cf and Zl, Zp; private and unassigned
/// planes).
bool is_harmless(char32_t code) {
  if (code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0xad) return false;
  if (code == 0x061c || code == 0x180e || code == 0xfeff) return false;
  if (code >= 0x0600 && code <= 0x0605) return false;  // signs that enclose what follows
  if (code >= 0x200b && code <= 0x200f) return false;  // zero width, marks of direction
  if (code >= 0x2028 && code <= 0x202e) return false;  // line ends, embedding, override
  if (code >= 0x2060 && code <= 0x206f) return false;  // invisible, isolates
  if (code >= 0xd800 && code <= 0xf8ff) return false;  // surrogates, private
  if (code >= 0xfe00 && code <= 0xfe0f) return false;  // variants
  if (code >= 0xfff0 && code <= 0xffff) return false;
  return code < 0x40000;
}

/// The octets of the character at the front if it may be printed; 0 if its first octet may not.
std::size_t character_length(std::string_view text) {
  const auto first = static_cast<unsigned char>(text.front());
  if (first < 0x80) return is_harmless(first) ? 1 : 0;
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (text.size() < length || find_bad_utf8(text.substr(0, length)) != std::string_view::npos) {
    return 0;
  }
  char32_t code = first & (0xffU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    code = code << 6 | (static_cast<unsigned char>(text[i]) & 0x3fU);
  }
  return is_harmless(code) ? length : 0;
}

}  // namespace

std::string Paint::operator()(Tone tone, std::string_view text) const {
  if (!in_colour_ || tone == Tone::plain || text.empty()) return std::string(text);
  return fmt::format("\x1b[{}m{}\x1b[0m", rendition(tone), text);
}

bool wants_colour() {
  const std::string_view terminal = variable("TERM");
  const bool obeys = !terminal.empty() && terminal != "dumb";
  return ::isatty(STDOUT_FILENO) == 1 && obeys && variable("NO_COLOR").empty();
}

std::string for_terminal(std::string_view text, std::size_t limit) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = character_length(text.substr(at));
    if (at + std::max<std::size_t>(length, 1) > limit) {
      return out + fmt::format("... ({} octets in all)", text.size());
    }
    if (length > 0) {
      out += text.substr(at, length);
    } else {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[at]));
    }
    at += std::max<std::size_t>(length, 1);
  }
  return out;
}

std::string span_text(std::chrono::seconds span) {
  constexpr std::int64_t kMinute = 60;
  constexpr std::int64_t kHour = 60 * kMinute;
  constexpr std::int64_t kDay = 24 * kHour;
  const std::int64_t all = span.count();
  const auto pair = [all](std::int64_t unit, const char* name, std::int64_t part,
                          const char* part_name) {
    const std::int64_t rest = all % unit / part;
    return rest == 0 ? fmt::format("{} {}", all / unit, name)
                     : fmt::format("{} {} {} {}", all / unit, name, rest, part_name);
  };
  if (all < 0) return "-" + span_text(-span);
  if (all < 2 * kMinute) return fmt::format("{} s", all);
  if (all < kHour) return fmt::format("{} min", all / kMinute);
  if (all < kDay) return pair(kHour, "h", kMinute, "min");
  return pair(kDay, "d", kHour, "h");
}

}  // namespace sealane

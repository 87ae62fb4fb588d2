// SPDX-License-Identifier: Apache-2.0
#include "cli/terminal.h"

#include <fmt/format.h>
#include <unistd.h>

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
  const bool cut = text.size() > limit;
  std::string out = escape_again(text.substr(0, limit), limit);
  if (cut) out += fmt::format("... ({} octets in all)", text.size());
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

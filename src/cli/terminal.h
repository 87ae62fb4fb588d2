// SPDX-License-Identifier: Apache-2.0
// Text for people at a terminal: colours that carry no meaning alone, nothing that a terminal might
// obey, spans of time.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

namespace sealane {

/// Octets of one piece of text that are shown; --json has the rest.
inline constexpr std::size_t kMaxShownText = 2'000;

enum class Tone { plain, good, care, bad, strong, faint };

/// Colours a word, or leaves it alone.
class Paint {
 public:
  explicit Paint(bool in_colour) : in_colour_(in_colour) {}
  std::string operator()(Tone tone, std::string_view text) const;

 private:
  bool in_colour_;
};

/// Standard output is a terminal that shows colours, and NO_COLOR is unset or empty.
bool wants_colour();

/// Characters that print themselves; the octets of others (controls, marks of direction, what is
/// invisible or no UTF-8) become \xNN.  What exceeds `limit` octets is cut and counted.
std::string for_terminal(std::string_view text, std::size_t limit = kMaxShownText);

/// "52 s", "12 min", "3 h 5 min", "6 d 23 h".
std::string span_text(std::chrono::seconds span);

}  // namespace sealane

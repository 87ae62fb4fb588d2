// SPDX-License-Identifier: Apache-2.0
// Netstrings, "LENGTH:OCTETS,", the framing of the socketmap protocol (socketmap_table(5)).
// Pure.  The caller keeps what has arrived and parses again when more has: the only state is the
// text itself, and looking at the head again costs a few octets.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sealane {

/// Most digits of a length: enough for any reply, far too few to overflow.
inline constexpr std::size_t kMaxNetstringDigits = 6;

/// Longest request, in octets.  Postfix >= 3.12 sends keys of up to 10,000 octets
/// (socketmap_max_query_size), and a map name comes before them.
inline constexpr std::size_t kMaxRequest = 10'240;

struct Netstring {
  enum class Status {
    incomplete,  ///< a correct beginning: more must arrive
    complete,
    junk,  ///< nothing that could follow makes this a netstring of at most `limit` octets
  };
  Status status = Status::incomplete;
  std::string_view payload;  ///< with complete: part of the text parsed
  std::size_t consumed = 0;  ///< with complete: octets of the text that it took
};

/// Reads the netstring at the beginning of `text`.  Refuses leading zeros, blanks, more than
/// kMaxNetstringDigits digits, a length above `limit`, and anything but a comma at the end.
Netstring parse_netstring(std::string_view text, std::size_t limit = kMaxRequest);

/// Appends `payload` as a netstring.
void append_netstring(std::string& out, std::string_view payload);

}  // namespace sealane

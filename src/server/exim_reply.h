// SPDX-License-Identifier: Apache-2.0
// A decision as the line that Exim takes apart with ${extract{key}{line}} (docs/formats.md,
// "Exim").
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

#include "policy/decision.h"

namespace sealane {

/// Most octets of a line: the longest policy file (64 KiB) of the shortest names just fits.
inline constexpr std::size_t kMaxEximReply = 256 * 1024;
/// Most octets of a temporary answer: Exim logs its reason with each attempt.
inline constexpr std::size_t kMaxEximTemporary = 600;

/// The line without its end: `level=…` first, every value safe inside ${extract}: printable ASCII
/// without quotes, backslashes, dollar signs and braces.  `domain_text` goes before the reason of a
/// temporary answer and may be anything.  What cannot be said is `level=temp`; never empty.  Pure.
std::string exim_reply(const Decision& decision, std::string_view domain_text);

/// The line as it is sent, without its end: with `ttl=…` last if the reply is not temporary.  A
/// life that is over is 0.
std::string exim_line(std::string_view reply, bool is_temporary, std::chrono::seconds left);

/// `level=temp reason="…"`, for what is no decision at all: overload, the end, a request that is
/// none.  Pure.
std::string exim_temporary(std::string_view reason);

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
// Wall-clock times as text, in UTC and to the second: "2026-01-31T12:00:00Z".
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace sealane {

std::string utc_text(std::chrono::sys_seconds time);

/// Exactly the form of utc_text(), for the years 1970 to 9999.
std::optional<std::chrono::sys_seconds> parse_utc(std::string_view text);

}  // namespace sealane

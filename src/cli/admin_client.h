// SPDX-License-Identifier: Apache-2.0
// Asks the running daemon over its admin socket (docs/formats.md, "Admin API").
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sealane {

/// For each step of a question; the daemon answers within 30 s whatever it has to look up.
inline constexpr std::chrono::seconds kAdminClientPatience{40};
/// Longest answer taken, in octets.
inline constexpr std::size_t kMaxAdminAnswer = 4 * 1024 * 1024;

struct AdminAnswer {
  int status = 0;    ///< of HTTP
  std::string body;  ///< JSON, without line end
};

/// GETs `target` ("/v1/status") from the daemon at `address` ("unix:/run/sealane/admin.sock").
/// Blocks.  Fails when there is no daemon or no answer.
Result<AdminAnswer> admin_get(std::string_view address, std::string_view target);

/// Text as part of a query: everything but letters, digits and "-._~" becomes %XX.
std::string percent_encoded(std::string_view text);

}  // namespace sealane

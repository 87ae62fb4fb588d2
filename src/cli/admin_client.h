// SPDX-License-Identifier: Apache-2.0
// Asks the running daemon over its admin socket (docs/formats.md, "Admin API").
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sealane {

/// For each step of a question; the daemon answers within 30 s whatever it has to look up.
inline constexpr std::chrono::seconds kAdminClientPatience{40};
/// For a look at a domain that the operator asks for, which goes on as long as its policy host.
inline constexpr std::chrono::seconds kAdminLookPatience{130};
/// For what may never come.
inline constexpr std::chrono::seconds kForEver{0};
/// Longest answer taken, and longest line of a long one, in octets.
inline constexpr std::size_t kMaxAdminAnswer = 4 * 1024 * 1024;

struct AdminAnswer {
  int status = 0;    ///< of HTTP
  std::string body;  ///< JSON, without line end
};

struct AdminRequest {
  std::string target;  ///< "/v1/status"
  std::string method = "GET";
  std::string body = {};
  std::chrono::seconds patience = kAdminClientPatience;
};

/// Asks the daemon at `address` ("unix:/run/sealane/admin.sock").  Blocks.  Fails when there is no
/// daemon or no answer.
Result<AdminAnswer> admin_ask(std::string_view address, const AdminRequest& request);
Result<AdminAnswer> admin_get(std::string_view address, std::string_view target);

/// Takes a line without its end; false: no more is wanted.
using AdminLineSink = std::function<bool(std::string_view)>;
/// The same for an answer of JSON lines, which `sink` gets one by one as they come.  With another
/// status than 200 it gets none, and the answer has the body.  Fails if the answer is cut short.
Result<AdminAnswer> admin_lines(std::string_view address, const AdminRequest& request,
                                const AdminLineSink& sink);

/// Text as part of a query: everything but letters, digits and "-._~" becomes %XX.
std::string percent_encoded(std::string_view text);

}  // namespace sealane

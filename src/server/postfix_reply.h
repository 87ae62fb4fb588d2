// SPDX-License-Identifier: Apache-2.0
// A decision in the words that Postfix (smtp_tls_policy_maps, smtp_requiretls_policy) and Sendmail
// (FEATURE(sts)) read: the payload of a socketmap reply.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/decision.h"

namespace sealane {

/// Most octets of a reply: Postfix refuses those above 100,000 (socketmap_max_reply_size).
inline constexpr std::size_t kMaxReply = 99'999;
/// Most octets of a temporary reply: Postfix logs 200 of its reason; a domain and a DNS name fit.
inline constexpr std::size_t kMaxTemporaryReply = 600;

/// The payload, such as "OK dane-only", "NOTFOUND " or "TEMP example.com: …".  `domain_text` goes
/// before the reason of a temporary reply and may be anything; it is made fit for a log line.
/// What the dialect's grammar cannot hold is left out; when nothing is left the reply is TEMP.
/// Never empty, never above kMaxReply, never PERM.  Pure.
std::string postfix_reply(const Decision& decision, Dialect dialect, std::string_view domain_text);

/// The dialect behind the map name of a socketmap request (exact, as Postfix sends it).
std::optional<Dialect> dialect_named(std::string_view map_name);

/// The map names of a dialect, its own first; none for one that no map serves.
std::vector<std::string> map_names(Dialect dialect);

/// "postfix, QUERY, …": for the reply to an unknown map name.
std::string known_map_names();

}  // namespace sealane

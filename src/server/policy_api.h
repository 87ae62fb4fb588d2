// SPDX-License-Identifier: Apache-2.0
// `GET /v1/policy/DOMAIN`: for mail servers that speak neither socketmap nor Exim's line.
// docs/formats.md, "Policies over HTTP".
#pragma once

#include "lookup/clock.h"
#include "server/answer_cache.h"
#include "server/http_message.h"
#include "server/http_server.h"

namespace sealane {

/// Connections at a time of a port that strangers may reach, and of one client among them, a busy
/// mail server's: nobody takes all places.
inline constexpr std::size_t kMaxPolicyConnections = 512;
inline constexpr std::size_t kMaxPolicyConnectionsOfClient = 64;
/// For a request to arrive, and between two: an octet now and then keeps no place for long.
inline constexpr std::chrono::seconds kPolicyHeadPatience{10};
/// For answer and sending it: an answer that must be looked up comes within 30 s.
inline constexpr std::chrono::seconds kPolicyPatience{40};
/// Those four.
HttpLimits policy_limits();

/// Both must outlive the server.  Serving thread.
HttpRoute policy_route(AnswerCache& cache, const Clock& clock);

}  // namespace sealane

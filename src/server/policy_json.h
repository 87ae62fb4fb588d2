// SPDX-License-Identifier: Apache-2.0
// An answer for programs that speak no MTA's language: docs/formats.md, "Policies over HTTP".
#pragma once

#include <boost/json/object.hpp>
#include <chrono>

#include "server/answer_cache.h"

namespace sealane {

/// The members from `status` on.  `answer` is in one of the dialects of postfix_reply().  All texts
/// are printable ASCII.  Pure.
boost::json::object policy_json(const Answer& answer, std::chrono::steady_clock::time_point now);

/// Seconds for which it still holds, 0 at least.
std::chrono::seconds time_left(const Answer& answer, std::chrono::steady_clock::time_point now);

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
// `GET /v1/events`: the history, and what is added to it.  docs/formats.md, "Admin API".
#pragma once

#include <boost/json/object.hpp>
#include <cstddef>

#include "lookup/policy_store.h"
#include "server/admin_parts.h"

namespace sealane {

/// Events that `last=` may ask for.
inline constexpr std::size_t kMaxLastEvents = 1'000;

void add_events_route(HttpServer& server, AdminPartsPtr parts);

boost::json::object json_of(const StoredEvent& event);

}  // namespace sealane

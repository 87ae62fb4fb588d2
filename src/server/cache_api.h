// SPDX-License-Identifier: Apache-2.0
// The memory of policies: `GET /v1/cache`, `GET` and `DELETE /v1/cache/DOMAIN`,
// `POST /v1/cache/DOMAIN/refresh`, `GET /v1/cache/stats`.  docs/formats.md, "Admin API".
#pragma once

#include <string>

#include "base/result.h"
#include "server/admin_parts.h"
#include "server/cache_json.h"

namespace sealane {

/// Rows read at a time: their policies are parsed, and meanwhile lookups wait.
inline constexpr std::size_t kCachePage = 64;

void add_cache_routes(HttpServer& server, AdminPartsPtr parts);

/// A domain as people write it, U-labels or A-labels; fails with 400.
Result<Domain, HttpResponse> domain_of(const std::string& name);

/// Lookup thread.
CacheMoment moment_of(const AdminParts& parts);

}  // namespace sealane

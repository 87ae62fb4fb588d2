// SPDX-License-Identifier: Apache-2.0
// `GET /v1/status`: how the daemon does.  docs/formats.md, "Admin API".
#pragma once

#include "server/admin_parts.h"

namespace sealane {

void add_status_route(HttpServer& server, AdminPartsPtr parts);

}  // namespace sealane

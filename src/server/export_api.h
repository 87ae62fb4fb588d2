// SPDX-License-Identifier: Apache-2.0
// `GET /v1/export`: what mail servers that can only read a file should enforce, page by page.
// docs/formats.md, "Admin API".
#pragma once

#include "server/admin_parts.h"

namespace sealane {

/// Serving thread, before the server starts.
void add_export_route(HttpServer& server, AdminPartsPtr parts);

}  // namespace sealane

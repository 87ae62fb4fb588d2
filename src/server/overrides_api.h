// SPDX-License-Identifier: Apache-2.0
// `GET /v1/overrides`: the operator's own rules.  docs/formats.md, "Admin API".
#pragma once

#include "server/admin_parts.h"

namespace sealane {

void add_overrides_route(HttpServer& server, AdminPartsPtr parts);

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
#include "server/admin_parts.h"
#include "server/cache_api.h"
#include "server/events_api.h"
#include "server/export_api.h"
#include "server/import_api.h"
#include "server/overrides_api.h"
#include "server/query_api.h"
#include "server/status_api.h"

namespace sealane {

void add_admin_routes(HttpServer& server, AdminPartsPtr parts) {
  add_query_route(server, parts->answers, parts->clock);
  add_status_route(server, parts);
  add_cache_routes(server, parts);
  add_import_routes(server, parts);
  add_export_route(server, parts);
  add_events_route(server, parts);
  add_overrides_route(server, parts);
}

}  // namespace sealane

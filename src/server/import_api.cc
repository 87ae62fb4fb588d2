// SPDX-License-Identifier: Apache-2.0
#include "server/import_api.h"

#include <utility>

#include "server/import_stream.h"
#include "server/warm_run.h"

namespace sealane {
namespace {

Task<HttpResponse> import(AdminPartsPtr parts, HttpRequest request) {
  const auto stream = std::make_shared<ImportStream>(std::move(parts), std::move(request.body));
  HttpResponse response;
  response.pieces = [stream] { return stream->next(); };
  co_return response;
}

Task<HttpResponse> warm(AdminPartsPtr parts, HttpRequest request) {
  const auto run = std::make_shared<WarmRun>(std::move(parts), std::move(request.body));
  HttpResponse response;
  response.pieces = [run] { return run->next(); };
  co_return response;
}

}  // namespace

void add_import_routes(HttpServer& server, AdminPartsPtr parts) {
  HttpRoute route;
  route.method = "POST";
  route.max_body = kMaxImportBody;
  route.pattern = "/v1/cache/import";
  route.handler = [parts](HttpRequest request) { return import(parts, std::move(request)); };
  server.add(route);
  route.pattern = "/v1/cache/warm";
  route.handler = [parts](HttpRequest request) { return warm(parts, std::move(request)); };
  server.add(std::move(route));
}

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
// `GET /v1/query`: what an MTA would be answered.  docs/formats.md, "Admin API".
#pragma once

#include <string>
#include <string_view>

#include "lookup/clock.h"
#include "server/answer_cache.h"
#include "server/http_server.h"

namespace sealane {

/// Both must outlive the server.  Serving thread.
void add_query_route(HttpServer& server, AnswerCache& cache, const Clock& clock);

/// A key as it was sent if it is text, and escaped if it is not: JSON is UTF-8.
std::string shown_key(std::string_view key);

}  // namespace sealane

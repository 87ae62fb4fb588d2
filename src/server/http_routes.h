// SPDX-License-Identifier: Apache-2.0
// Which route is for a request.  Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "server/http_message.h"

namespace sealane {

class HttpRoutes {
 public:
  void add(HttpRoute route) { routes_.push_back(std::move(route)); }

  /// A route, and what the request gives to it; the body is still to be read.
  struct Match {
    const HttpRoute* route = nullptr;
    HttpRequest request;
  };
  /// Fails with the response to send: 400, 404, 405.
  Result<Match, HttpResponse> find(std::string_view method, std::string_view target) const;

 private:
  HttpResponse unknown() const;

  std::vector<HttpRoute> routes_;
};

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
// `GET /v1/cache`: the store as JSON lines, page by page.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/task.h"
#include "server/admin_parts.h"
#include "server/cache_json.h"

namespace sealane {

struct CacheFilter {
  std::string mode;                                ///< empty: all
  std::optional<std::chrono::seconds> min_age;     ///< since the fetch
  std::optional<std::chrono::seconds> expires_in;  ///< at most
  bool failing = false;
  bool with_policy = false;  ///< its text as well, and only domains that have one
  std::string after;         ///< the name to go on behind
  std::uint64_t limit = 0;   ///< lines; 0: all

  bool takes(const StsMemory& memory, std::chrono::sys_seconds now) const;
};

/// Of the request's parameters.
Result<CacheFilter> cache_filter_of(const HttpRequest& request);

/// One answer.  Serving thread.
class CacheStream : public std::enable_shared_from_this<CacheStream> {
 public:
  CacheStream(AdminPartsPtr parts, CacheFilter filter)
      : parts_(std::move(parts)), filter_(std::move(filter)) {}
  Task<std::optional<std::string>> next();

 private:
  AdminPartsPtr parts_;
  CacheFilter filter_;
  bool ended_ = false;
};

}  // namespace sealane

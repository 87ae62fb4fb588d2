// SPDX-License-Identifier: Apache-2.0
// Looks up a list of domains ahead of their mail, at a pace that hurts nobody, and reports on each.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "base/task.h"
#include "server/admin_parts.h"

namespace sealane {

/// One request.
class WarmRun {
 public:
  /// `domains`: one a line.  Serving thread.
  WarmRun(AdminPartsPtr parts, std::string domains);
  /// Nothing more is begun.
  ~WarmRun();

  /// The reports that have come in, waiting up to a second for one; nullopt: all have been told.
  /// Serving thread.
  Task<std::optional<std::string>> next();

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace sealane

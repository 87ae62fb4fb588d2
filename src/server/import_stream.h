// SPDX-License-Identifier: Apache-2.0
// Takes policies in, line by line, and reports on each.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/task.h"
#include "lookup/sts_operator.h"
#include "server/admin_parts.h"

namespace sealane {

/// A line of `GET /v1/cache?policy=1`: domain, policy, fetched, expires; id and asked may be
/// absent; what else is there is skipped.  Fails with what is wrong.
Result<StsImport> parse_import(std::string_view line);

/// One request.  Serving thread.
class ImportStream : public std::enable_shared_from_this<ImportStream> {
 public:
  ImportStream(AdminPartsPtr parts, std::string lines)
      : parts_(std::move(parts)), lines_(std::move(lines)) {}
  /// The reports on some lines more; nullopt: all have been told.
  Task<std::optional<std::string>> next();

 private:
  std::optional<std::string_view> next_line();

  AdminPartsPtr parts_;
  const std::string lines_;
  std::size_t at_ = 0;
  std::size_t number_ = 0;  ///< of the line read last
  bool taken_ = false;      ///< answers may rest on what is no longer so
};

}  // namespace sealane

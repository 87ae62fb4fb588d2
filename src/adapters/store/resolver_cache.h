// SPDX-License-Identifier: Apache-2.0
// Reads the SQLite cache of postfix-mta-sts-resolver (1.x), to bring its policies along.
//
// Its table sts_policy_cache has the policy as a JSON object of the fields, and `ts`, the time of
// the last look at which the TXT id was the same or the policy was fetched: its policies live
// max_age from there, and so do they here, until the first fetch of our own, within a day.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "lookup/sts_operator.h"

namespace sealane {

/// Hands out each policy; false from `take` ends the reading.  Opens the file for reading only: it
/// may be in use.  The rows that hold no policy are returned, each with what is wrong.  Blocks.
Result<std::vector<std::string>> read_resolver_cache(
    const std::string& path, const std::function<bool(const StsImport&)>& take);

/// One row.
Result<StsImport> parse_resolver_row(std::string_view domain, std::int64_t checked,
                                     std::string_view id, std::string_view fields);

}  // namespace sealane

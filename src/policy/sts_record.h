// SPDX-License-Identifier: Apache-2.0
// The `_mta-sts` TXT record (RFC 8461, section 3.1).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "policy/finding.h"

namespace sealane {

struct StsRecord {
  std::string id;  ///< 1-32 letters and digits; compared for equality only
};

/// What a TXT RRset says; each string is one record, its character-strings joined.
struct StsRecordSet {
  enum class Kind { none, one, several, invalid };
  Kind kind = Kind::none;
  StsRecord record;     ///< with Kind::one
  std::string problem;  ///< why there is no usable record, escaped
};

/// Keeps the records that begin with "v=STSv1" and a delimiter, and reads the only one.
StsRecordSet read_sts_records(const std::vector<std::string>& records);

/// Reads one record by the grammar and adds findings about it (`lint sts-record`).
/// `line` of a finding is 1; `column` the octet, from 1.
Result<StsRecord> parse_sts_record(std::string_view text, std::vector<LintFinding>* findings);

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
// What a second look found otherwise than the first.  Pure.
#pragma once

#include <string>
#include <vector>

#include "server/explain_json.h"

namespace sealane {

struct Difference {
  std::string what;   ///< "MX", "TLSA of mx.example.net", "answer postfix"
  std::string known;  ///< as it is remembered; empty: nothing
  std::string live;   ///< as it is now
};

/// In the order of the explanation; the texts are not escaped and not bounded.
std::vector<Difference> differences(const ExplainedLook& known, const ExplainedLook& live);

}  // namespace sealane

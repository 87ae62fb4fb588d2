// SPDX-License-Identifier: Apache-2.0
// The other way: from A-labels to what people read, and an MTA with SMTPUTF8 asks with.
#pragma once

#include <optional>
#include <string>

#include "policy/domain.h"

namespace sealane {

/// The name in UTF-8, if it has A-labels.  Nothing if it has none, or if it would be another name
/// once its case is folded, which Postfix does with the keys of a table ("ß" becomes "ss").  Pure.
std::optional<std::string> unicode_name(const Domain& domain);

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
// A decision in the words of whichever MTA asked: what the answer cache keeps.
#pragma once

#include <string>
#include <string_view>

#include "policy/decision.h"

namespace sealane {

/// postfix_reply() or, in the dialect exim, exim_reply().  Pure.
std::string mta_reply(const Decision& decision, Dialect dialect, std::string_view domain_text);

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
// A decision in the words of whichever MTA asked: what the answer cache keeps.  And the names by
// which people ask for those words.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/decision.h"

namespace sealane {

/// postfix_reply() or, in the dialect exim, exim_reply().  Pure.
std::string mta_reply(const Decision& decision, Dialect dialect, std::string_view domain_text);

/// "OK", "NOTFOUND", "TEMP" or "PERM": the first word of a reply to Postfix, and of Exim's line
/// what means the same.  A view of `reply` or of a constant.
std::string_view reply_status(Dialect dialect, std::string_view reply);

/// What the admin API and `sealane` call a dialect: the names of its socketmap, its own first, or
/// "exim", which is no map.
std::vector<std::string> dialect_names(Dialect dialect);
std::optional<Dialect> dialect_called(std::string_view name);
/// All of them, for error texts: "postfix, QUERY, …".
std::string known_dialects();

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
// What a rule of the access table makes of the answer for a recipient's domain: an action of
// Postfix's access(5).
#pragma once

#include <string>
#include <string_view>

#include "server/access_table.h"
#include "server/answer_cache.h"

namespace sealane {

/// How well a recipient can be reached, read off the answer that Postfix's SMTP client would get.
enum class Protection {
  unknown,  ///< could not be found out, or nothing is enforced while observing
  none,     ///< nothing that would authenticate every mail host that may be used
  mta_sts,
  dane,
  fixed,  ///< the operator's own policy, and it authenticates
};
std::string_view name_of(Protection protection);

/// The protection that is enforced; `answer` is in the dialect postfix.  Pure.
Protection protection_of(const Answer& answer);

/// "DUNNO", "REJECT 5.7.10 …", "DEFER_IF_PERMIT 4.7.5 …" or "PREPEND …": one line of printable
/// ASCII.  While observing nothing is refused.  `domain` is the recipient's, as it came.  Pure.
std::string access_action(const AccessRule& rule, const Answer& answer, std::string_view domain);

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
// What Postfix makes of a socketmap reply and of the policy text in it, by its own rules and
// written independently of the formatter.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sealane {

struct PostfixAnswer {
  enum class Kind { policy, not_found, temporary };
  Kind kind = Kind::temporary;
  std::string reason;  ///< with temporary
  std::string level;   ///< with policy
  std::vector<std::string> match;
  std::map<std::string, std::string> attributes;  ///< those that stand once
  std::vector<std::string> mx_host_patterns;
  std::vector<std::string> policy_strings;
};

enum class PostfixVersion {
  old,      ///< 3.4 to 3.9: no braces, no policy_* attributes
  current,  ///< 3.10.5 and later
};

/// Fails where Postfix would defer the mail for a malformed reply, and where a reply of ours must
/// not be so although Postfix takes it: an empty or keyword match, a reason that is missing.
Result<PostfixAnswer> read_postfix_reply(std::string_view payload, PostfixVersion version);

/// valid_hostname(): what a policy domain must pass.
bool is_valid_hostname(std::string_view name);

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
// What Postfix's policy grammar can hold: names, policy strings, log text (docs/decision.md).
// Everything here may come from the network; nothing that could alter a level gets through.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sealane {

/// The words between blanks, commas and the like, as Postfix splits lists and policy texts.
std::vector<std::string_view> postfix_list(std::string_view text);

/// One name that a policy allows, in the two forms in which Postfix reads it.
struct PolicyName {
  std::string match;    ///< match=: "mx.example.net", or ".example.net" for a wildcard
  std::string pattern;  ///< mx_host_pattern=: "mx.example.net", "*.example.net"
  friend bool operator==(const PolicyName&, const PolicyName&) = default;
};

/// Reads "mx.example.net" or "*.example.net".  Nothing for text outside [a-z0-9._-] behind the
/// wildcard, for an empty label, and for the words that match= takes as keywords.
std::optional<PolicyName> policy_name(std::string_view text);

/// The names of the match= attributes of a policy text; what is no name is left out.
std::vector<PolicyName> names_of_match(std::string_view policy_text);

/// A name that passes Postfix's own check, which a policy domain and an MX name must.
bool is_postfix_hostname(std::string_view text);

/// A line of a policy that fits between "{ policy_string = " and " }": UTF-8 without braces and
/// control characters.
bool is_policy_string(std::string_view line);

/// Visible ASCII and blanks, and not only blanks.
bool is_fixed_reply(std::string_view text);

/// The level of a policy text, lower-case.
std::string first_word(std::string_view policy_text);

/// One printable ASCII character for each octet, '?' for those that are none.
std::string printable(std::string_view text);

}  // namespace sealane

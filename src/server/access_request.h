// SPDX-License-Identifier: Apache-2.0
// A request of Postfix's policy delegation protocol (SMTPD_POLICY_README): lines "name=value", and
// an empty line.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace sealane {

/// Longest request in octets: some forty attributes, of which addresses and names of certificates
/// may have a line's length (2,048).
inline constexpr std::size_t kMaxAccessRequest = 32 * 1024;

/// The attributes that matter here; absent ones are empty.  Refers to the request's octets.
struct AccessRequest {
  std::string_view state;   ///< protocol_state
  std::string_view sender;  ///< empty for bounces
  std::string_view recipient;
  std::string_view user;     ///< sasl_username
  std::string_view context;  ///< policy_context

  /// Behind the last "@"; empty if there is none.
  std::string_view recipient_domain() const;
  /// Whether the local part may name another destination ("b.test!u", "u%b.test", "u@b.test"), to
  /// which a mail server that rewrites or relays such addresses sends the mail.
  bool is_recipient_routed() const;
};

/// The octets of the first complete request in `unread`, its empty line included; 0 if it is not
/// complete.
std::size_t access_request_length(std::string_view unread);

/// Reads a complete request.  Nothing if a line is no attribute, one of those above is given twice,
/// or `request` is not smtpd_access_policy.  Pure.
std::optional<AccessRequest> parse_access_request(std::string_view text);

}  // namespace sealane

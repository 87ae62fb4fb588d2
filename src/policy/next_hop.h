// SPDX-License-Identifier: Apache-2.0
// The key an MTA asks about: its next-hop destination, verbatim.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "policy/domain.h"

namespace sealane {

inline constexpr std::uint16_t kSmtpPort = 25;
/// Longest key that is looked at, in octets: a domain, brackets and a port fit many times over.
inline constexpr std::size_t kMaxKeyLength = 1024;

/// A destination with a DNS name: `example.com`, `example.com:587`, `[mx.example.com]:25`.
struct NextHop {
  Domain domain;          ///< the name inside the brackets, or the domain
  bool mx_lookup = true;  ///< false for a `[host]` key
  std::uint16_t port = kSmtpPort;

  /// Only port 25 is MTA-STS; the policy domain is `domain` (RFC 8461 3.4 for `[host]`).
  bool has_sts() const { return port == kSmtpPort; }
  /// The canonical text: equal next-hops have equal texts.
  std::string text() const;
  friend bool operator==(const NextHop&, const NextHop&) = default;
};

/// A key that names no destination with a policy of its own.
struct NoNextHop {
  enum class Why {
    parent_domain,    ///< `.example.com`: Postfix walks up the tree; answered without a lookup
    address_literal,  ///< `[192.0.2.1]`, `[IPv6:2001:db8::1]`
    empty,
    too_long,
    invalid,          ///< ASCII that is no DNS name
    not_convertible,  ///< non-ASCII that has no A-label form: temporary, not "none"
    unknown_port,     ///< temporary as well
  };
  Why why;
  std::string text;  ///< for a human; foreign parts are escaped

  bool temporary() const { return why == Why::not_convertible || why == Why::unknown_port; }
};

using ParsedKey = std::variant<NextHop, NoNextHop>;

/// Reads a key as Postfix sends it (any case, U-labels, brackets, a numeric or named port).
ParsedKey parse_next_hop(std::string_view key);

/// The key of the `requiretls` map: a bare name, never brackets or a port.
ParsedKey parse_requiretls_key(std::string_view key);

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
// A checked DNS name in the one form the program uses: lower-case A-labels, no root dot.
#pragma once

#include <compare>
#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sealane {

inline constexpr std::size_t kMaxDomainLength = 253;  ///< octets without the root dot (RFC 1035)
inline constexpr std::size_t kMaxLabelLength = 63;    ///< octets (RFC 1035 2.3.4)

/// True if no octet has its high bit set: such a name never reaches the IDN library.
bool is_ascii(std::string_view name);

/// A DNS name: labels of 1-63 octets out of [a-z0-9_-], at most 253 octets in all.  Immutable.
class Domain {
 public:
  /// Reads an ASCII name: folds case, strips one trailing dot, checks labels.  Never involves IDN.
  static Result<Domain> parse(std::string_view ascii);

  /// Reads a name that may hold U-labels (UTF-8): UTS 46 non-transitional, the conversion that
  /// Postfix makes.  An ASCII name never reaches the IDN library.
  static Result<Domain> parse_idn(std::string_view utf8);

  const std::string& text() const { return text_; }

  /// `prefix.name`, such as `_25._tcp` before a host; fails when the result is too long.
  Result<Domain> below(std::string_view prefix) const;

  friend bool operator==(const Domain&, const Domain&) = default;
  friend auto operator<=>(const Domain&, const Domain&) = default;

 private:
  explicit Domain(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

}  // namespace sealane

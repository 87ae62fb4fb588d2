// SPDX-License-Identifier: Apache-2.0
// What the readers of the MTA-STS record and of the policy share: the names of fields and the
// collecting of remarks.
#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policy/finding.h"

namespace sealane {

/// Most errors, and most other remarks, that one text may cause: a page of 64 KiB that is no
/// policy must not become megabytes of remarks.
inline constexpr std::size_t kMaxRemarks = 100;

/// Longest field name, in octets (RFC 8461 3.1 and 3.2).
inline constexpr std::size_t kMaxFieldName = 32;

/// A letter or digit, then up to 31 of letters, digits, "_", "-" and "." (RFC 8461 3.1, 3.2).
bool is_sts_field_name(std::string_view name);

/// Where a remark applies.  `line` and `column` count from 1; 0 is the whole text or line.
struct Place {
  int line = 0;
  int column = 0;
};

/// Collects the remarks of one reading.  Without a sink only the first error is kept, which is all
/// that a verdict needs.
class Remarks {
 public:
  explicit Remarks(std::vector<LintFinding>* sink) : sink_(sink) {}

  template <class... Args>
  void note(Place place, std::string_view code, fmt::format_string<Args...> text, Args&&... args) {
    if (!wants_more(others_)) return;
    keep(LintFinding::Severity::note, place, code, fmt::format(text, std::forward<Args>(args)...));
  }
  template <class... Args>
  void warning(Place place, std::string_view code, fmt::format_string<Args...> text,
               Args&&... args) {
    if (!wants_more(others_)) return;
    keep(LintFinding::Severity::warning, place, code,
         fmt::format(text, std::forward<Args>(args)...));
  }
  template <class... Args>
  void error(Place place, std::string_view code, fmt::format_string<Args...> text, Args&&... args) {
    const bool first = !std::exchange(failed_, true);
    if (!wants_more(errors_) && !first) return;
    std::string said = fmt::format(text, std::forward<Args>(args)...);
    if (first) first_error_ = said;
    if (first) first_line_ = place.line;
    if (sink_ != nullptr) keep(LintFinding::Severity::error, place, code, std::move(said));
  }

  bool failed() const { return failed_; }
  /// The first error; empty if there is none.
  const std::string& first_error() const { return first_error_; }
  int first_line() const { return first_line_; }

 private:
  /// Counts one more remark of a kind and tells whether there is room for it.
  bool wants_more(std::size_t& count);
  void keep(LintFinding::Severity severity, Place place, std::string_view code, std::string text);

  std::vector<LintFinding>* sink_;
  std::size_t errors_ = 0;
  std::size_t others_ = 0;
  bool failed_ = false;
  std::string first_error_;
  int first_line_ = 0;
};

}  // namespace sealane

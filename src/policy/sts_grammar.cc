// SPDX-License-Identifier: Apache-2.0
#include "policy/sts_grammar.h"

#include <algorithm>

#include "base/text.h"

namespace sealane {

bool is_sts_field_name(std::string_view name) {
  const auto is_alnum = [](char c) { return is_alpha(c) || is_digit(c); };
  return !name.empty() && name.size() <= kMaxFieldName && is_alnum(name.front()) &&
         std::all_of(name.begin(), name.end(), [&is_alnum](char c) {
           return is_alnum(c) || c == '_' || c == '-' || c == '.';
         });
}

bool Remarks::wants_more(std::size_t& count) {
  if (sink_ == nullptr) return false;
  ++count;
  if (count == kMaxRemarks + 1) {
    keep(LintFinding::Severity::note, {}, "more-findings",
         "There are further remarks of this kind.");
  }
  return count <= kMaxRemarks;
}

void Remarks::keep(LintFinding::Severity severity, Place place, std::string_view code,
                   std::string text) {
  sink_->push_back(
      LintFinding{place.line, place.column, severity, std::string(code), std::move(text)});
}

}  // namespace sealane

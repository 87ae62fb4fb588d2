// SPDX-License-Identifier: Apache-2.0
// Reads the overrides file (docs/formats.md, "Overrides"): one rule a line,
//
//   partner.example  postfix="secure match=mx.partner.example servername=hostname"
//                    until=2027-03-31 reason="contract 7, until their policy is up"
//   .example.net     dane=off reason="their name servers drop questions for TLSA"
//
// (the first on one line).  A mistake must never lead to another answer than the operator meant:
// whatever is not understood is an error, and a file with an error is not used at all.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "policy/overrides.h"

namespace sealane {

/// Largest file, in octets: the most rules, each with two fixed answers of common length.
inline constexpr std::size_t kMaxOverridesFile = 32 * 1024 * 1024;
/// Rules at most: far above any list that people keep; a set of them takes some 30 MB.
inline constexpr std::size_t kMaxOverrides = 100'000;
/// Longest line, in octets: a policy of a hundred MX names fits.
inline constexpr std::size_t kMaxOverrideLine = 8'192;
/// Longest reason, in octets: a log line shows it whole.
inline constexpr std::size_t kMaxOverrideReason = 200;
/// Errors of one reading that are reported; the rest is only counted.
inline constexpr std::size_t kMaxOverrideProblems = 100;

/// One error: the word and the remedy are in the text, which is fit for a log line.
struct OverrideProblem {
  int line = 0;  ///< from 1; 0 = the whole file
  std::string text;
};
using OverrideProblems = std::vector<OverrideProblem>;

/// All rules of the text, or all its errors by line.  Pure.
Result<Overrides, OverrideProblems> parse_overrides(std::string_view text);

}  // namespace sealane

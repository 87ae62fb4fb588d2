// SPDX-License-Identifier: Apache-2.0
// `sealane lint`: judges what a domain publishes, or is about to publish, without a network.
#pragma once

#include <istream>
#include <ostream>
#include <span>
#include <string>

namespace sealane {

/// Exit statuses of `sealane lint`; scripts rely on them.
inline constexpr int kLintValid = 0;
inline constexpr int kLintInvalid = 1;
inline constexpr int kLintUsage = 2;
inline constexpr int kLintUnreadable = 3;

/// Runs the subcommand; `args` are the words behind "lint":
///   sts-policy FILE|-   sts-record TEXT   tlsa "U S M HEX"...   and --json anywhere.
/// The verdict goes to `out`, everything else to `err`.  Foreign text is escaped.  Returns the exit
/// status.
int lint_command(std::span<const std::string> args, std::istream& in, std::ostream& out,
                 std::ostream& err);

}  // namespace sealane

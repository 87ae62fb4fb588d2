// SPDX-License-Identifier: Apache-2.0
// Findings for people and for programs.  Pure.
#pragma once

#include <string>
#include <vector>

#include "cli/doctor/checks.h"

namespace sealane::doctor {

/// Columns of a line for people; a command is never broken.
inline constexpr std::size_t kReportWidth = 80;

/// Whether there is anything worse than a note.
bool is_ill(const std::vector<Finding>& findings);

/// What was looked at, each finding with what mends it, and a line of counts.  Nothing in it that a
/// terminal would obey, but for the colours if they are wanted.
std::string report_text(const Facts& facts, const std::vector<Finding>& findings, bool colours);

/// The same as one JSON object and a line end (docs/formats.md, "Doctor").
std::string report_json(const Facts& facts, const std::vector<Finding>& findings);

/// "ID GRADE", one a line, or a JSON array.
std::string list_of_checks(bool as_json);

}  // namespace sealane::doctor

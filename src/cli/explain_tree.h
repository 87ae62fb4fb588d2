// SPDX-License-Identifier: Apache-2.0
// The explanation that the daemon gives as JSON (docs/formats.md), as a tree for people.  Pure.
// The JSON is not trusted: what is missing or of another type is left out, and all text is escaped.
#pragma once

#include <boost/json/fwd.hpp>
#include <cstddef>
#include <string>

#include "cli/terminal.h"

namespace sealane {

/// Items of each list that are shown: a screen or two in all.  The others are counted.
inline constexpr std::size_t kMaxShownHosts = 20;
inline constexpr std::size_t kMaxShownItems = 10;
inline constexpr std::size_t kMaxShownLines = 30;    ///< of a policy
inline constexpr std::size_t kMaxShownRecord = 200;  ///< octets of a record or line: a key fits

/// Lines of printable ASCII, beside the colours.  `dialect`: whose decision is told step by step.
std::string explanation_tree(const boost::json::object& explanation, std::string_view dialect,
                             const Paint& paint);

}  // namespace sealane

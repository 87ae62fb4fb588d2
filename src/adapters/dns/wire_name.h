// SPDX-License-Identifier: Apache-2.0
// DNS names in wire form: length octets and labels, the root label at the end, no compression.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "policy/domain.h"

namespace sealane {

inline constexpr std::size_t kMaxWireName = 255;  ///< octets, root label included (RFC 1035)

std::string to_wire(const Domain& name);
/// Of labels without escapes; without the root dot, so that nothing is the root.
std::string to_wire(std::string_view labels);

/// Folds A-Z, so that equal names are equal octets.  Length octets are below 'A' and stay.
std::string fold_wire(std::string_view wire);

/// Presentation form without the root dot; "." is the root.  What is not a plain printable octet
/// becomes \DDD, and dots and backslashes inside labels too (RFC 4343 2.1).  `wire` is valid.
std::string presentation(std::string_view wire);

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
// The outcome of an operation whose cause of failure is only told to a human.
// Where a failure means something to the program, a type of its own names it instead.
#pragma once

#include <fmt/format.h>

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace sealane {

template <class T, class E = std::string>
using Result = tl::expected<T, E>;

/// A failed Result with a formatted explanation: `return failure("line {}: no colon", n);`
template <class... Args>
tl::unexpected<std::string> failure(fmt::format_string<Args...> text, Args&&... args) {
  return tl::unexpected<std::string>(fmt::format(text, std::forward<Args>(args)...));
}

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
// Port: what time it is.
#pragma once

#include <chrono>

namespace sealane {

/// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual std::chrono::sys_seconds wall() const = 0;
  virtual std::chrono::steady_clock::time_point steady() const = 0;
};

}  // namespace sealane

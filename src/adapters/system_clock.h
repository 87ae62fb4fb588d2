// SPDX-License-Identifier: Apache-2.0
// The machine's clocks.
#pragma once

#include "lookup/clock.h"

namespace sealane {

/// Thread-safe and without state.
class SystemClock : public Clock {
 public:
  std::chrono::sys_seconds wall() const override;
  std::chrono::steady_clock::time_point steady() const override;
};

}  // namespace sealane

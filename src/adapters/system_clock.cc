// SPDX-License-Identifier: Apache-2.0
#include "adapters/system_clock.h"

namespace sealane {

std::chrono::sys_seconds SystemClock::wall() const {
  return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

std::chrono::steady_clock::time_point SystemClock::steady() const {
  return std::chrono::steady_clock::now();
}

}  // namespace sealane

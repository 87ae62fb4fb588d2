// SPDX-License-Identifier: Apache-2.0
// Two ways for coroutines of one thread to wait for each other.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/task.h"

namespace sealane {

using Deadline = std::chrono::steady_clock::time_point;

/// A condition variable for coroutines: notify() wakes all that wait at that moment.
/// One thread only.  The signal must outlive its waiters: keep it in a shared_ptr they hold.
class Signal {
 public:
  /// True when notified, false when `deadline` passed first.
  Task<bool> wait_until(Deadline deadline);
  void notify();

 private:
  std::unordered_set<boost::asio::steady_timer*> waiters_;
};

/// Starts a coroutine that nobody waits for, on `executor`.  An exception is a bug: it is logged
/// as an error under `what` and goes no further.
void spawn_detached(const boost::asio::any_io_executor& executor, Task<> task,
                    std::string_view what);

/// Runs the tasks side by side on the caller's executor and returns when all have ended.
Task<> run_all(std::vector<Task<>> tasks);

}  // namespace sealane

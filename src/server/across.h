// SPDX-License-Identifier: Apache-2.0
// From one thread to another and back (docs/architecture.md, "Threads").
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "base/task.h"

namespace sealane {

/// Runs the task on `executor` and returns its value on the caller's own.  Nobody may cancel this
/// wait.  Exceptions come back, too.
template <class T>
Task<T> across(boost::asio::any_io_executor executor, Task<T> task) {
  co_return co_await boost::asio::co_spawn(std::move(executor), std::move(task),
                                           boost::asio::use_awaitable);
}

}  // namespace sealane

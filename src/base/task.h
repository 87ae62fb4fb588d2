// SPDX-License-Identifier: Apache-2.0
// The one asynchronous idiom: a C++20 coroutine on a Boost.Asio executor.
// A coroutine stays on the thread it was spawned on.
#pragma once

#include <boost/asio/awaitable.hpp>

namespace sealane {

template <class T = void>
using Task = boost::asio::awaitable<T>;

}  // namespace sealane

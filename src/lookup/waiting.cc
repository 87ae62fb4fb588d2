// SPDX-License-Identifier: Apache-2.0
#include "lookup/waiting.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <string>

#include "base/log.h"

namespace sealane {
namespace asio = boost::asio;

Task<bool> Signal::wait_until(Deadline deadline) {
  const auto executor = co_await asio::this_coro::executor;
  asio::steady_timer timer(executor, deadline);
  waiters_.insert(&timer);
  boost::system::error_code woken;
  co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, woken));
  waiters_.erase(&timer);
  co_return woken == asio::error::operation_aborted;
}

void Signal::notify() {
  // Waiters are resumed later, by the loop: the set does not change under our feet.
  for (asio::steady_timer* timer : waiters_) timer->cancel();
}

void spawn_detached(const asio::any_io_executor& executor, Task<> task, std::string_view what) {
  asio::co_spawn(executor, std::move(task), [what = std::string(what)](std::exception_ptr error) {
    if (!error) return;
    try {
      std::rethrow_exception(error);
    } catch (const std::exception& e) {
      log(Severity::error, "internal_error", {{"where", what}, {"what", e.what()}});
    }
  });
}

namespace {

struct Running {
  std::size_t left = 0;
  std::exception_ptr error;
  Signal ended;
};

Task<> run_one(Task<> task, std::shared_ptr<Running> running) {
  try {
    co_await std::move(task);
  } catch (...) {
    running->error = std::current_exception();
  }
  if (--running->left == 0) running->ended.notify();
}

}  // namespace

Task<> run_all(std::vector<Task<>> tasks) {
  const auto executor = co_await asio::this_coro::executor;
  auto running = std::make_shared<Running>();
  running->left = tasks.size();
  for (Task<>& task : tasks) {
    spawn_detached(executor, run_one(std::move(task), running), "run_all");
  }
  while (running->left > 0) co_await running->ended.wait_until(Deadline::max());
  if (running->error) std::rethrow_exception(running->error);
}

}  // namespace sealane

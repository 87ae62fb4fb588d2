// SPDX-License-Identifier: Apache-2.0
#include "adapters/dns/getdns_loop.h"

#include <getdns/getdns_extra.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <utility>

namespace sealane {
namespace {

namespace asio = boost::asio;
using asio::posix::descriptor_base;

constexpr std::uint64_t kNoTimeout = ~std::uint64_t{0};

/// One scheduled event.  The handlers hold it, so that clear() may come from inside a callback.
struct Event : std::enable_shared_from_this<Event> {
  Event(const asio::any_io_executor& executor, getdns_eventloop_event* of)
      : descriptor(executor), timer(executor), event(of) {}
  ~Event() { let_go(); }

  /// The descriptor is getdns's: it is never closed here.
  void let_go() {
    if (descriptor.is_open()) descriptor.release();
  }

  void stop() {
    event = nullptr;
    let_go();
    timer.cancel();
    self.reset();
  }

  /// Calls back each time the descriptor is ready, until cleared.
  void watch(descriptor_base::wait_type what, getdns_eventloop_callback callback) {
    descriptor.async_wait(
        what, [held = shared_from_this(), what, callback](const boost::system::error_code& error) {
          if (error || held->event == nullptr) return;
          callback(held->event->userarg);
          if (held->event != nullptr) held->watch(what, callback);
        });
  }

  void time_out_after(std::uint64_t milliseconds) {
    timer.expires_after(std::chrono::milliseconds(milliseconds));
    timer.async_wait([held = shared_from_this()](const boost::system::error_code& error) {
      if (error || held->event == nullptr) return;
      held->event->timeout_cb(held->event->userarg);
    });
  }

  asio::posix::stream_descriptor descriptor;
  asio::steady_timer timer;
  getdns_eventloop_event* event;  ///< null once cleared
  std::shared_ptr<Event> self;    ///< getdns holds a plain pointer; this is its share
};

}  // namespace

/// What getdns sees is the base; it hands it back to the functions of the table.
struct GetdnsLoop::Loop : getdns_eventloop {
  explicit Loop(asio::any_io_executor of) : getdns_eventloop{&table}, executor(std::move(of)) {}

  static getdns_return_t schedule(getdns_eventloop* loop, int fd, std::uint64_t timeout,
                                  getdns_eventloop_event* event);
  static getdns_return_t clear(getdns_eventloop* loop, getdns_eventloop_event* event);
  static void nothing(getdns_eventloop*) {}
  /// getdns runs the loop itself only in its synchronous functions, which nobody calls here.
  static void run_once(getdns_eventloop*, int) {}

  static inline getdns_eventloop_vmt table{nothing, schedule, clear, nothing, run_once};
  asio::any_io_executor executor;
};

getdns_return_t GetdnsLoop::Loop::schedule(getdns_eventloop* loop, int fd, std::uint64_t timeout,
                                           getdns_eventloop_event* event) {
  auto scheduled = std::make_shared<Event>(static_cast<Loop*>(loop)->executor, event);
  scheduled->self = scheduled;
  event->ev = scheduled.get();
  boost::system::error_code closed;  // getdns schedules closed descriptors too: the timer counts
  if (fd >= 0) scheduled->descriptor.assign(fd, closed);
  if (fd >= 0 && !closed && event->read_cb != nullptr) {
    scheduled->watch(descriptor_base::wait_read, event->read_cb);
  }
  if (fd >= 0 && !closed && event->write_cb != nullptr) {
    scheduled->watch(descriptor_base::wait_write, event->write_cb);
  }
  if (timeout != kNoTimeout && event->timeout_cb != nullptr) scheduled->time_out_after(timeout);
  return GETDNS_RETURN_GOOD;
}

getdns_return_t GetdnsLoop::Loop::clear(getdns_eventloop*, getdns_eventloop_event* event) {
  auto* scheduled = static_cast<Event*>(event->ev);
  event->ev = nullptr;
  if (scheduled != nullptr) scheduled->stop();
  return GETDNS_RETURN_GOOD;
}

GetdnsLoop::GetdnsLoop(asio::any_io_executor executor)
    : loop_(std::make_unique<Loop>(std::move(executor))) {}

GetdnsLoop::~GetdnsLoop() = default;

getdns_eventloop* GetdnsLoop::get() { return loop_.get(); }

}  // namespace sealane

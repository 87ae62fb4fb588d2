// SPDX-License-Identifier: Apache-2.0
// getdns's event loop interface over Asio.  Only for getdns_context.cc and its test: it shows
// getdns's header.
#pragma once

#include <getdns/getdns_extra.h>

#include <boost/asio/any_io_executor.hpp>

namespace sealane {

/// Waits on behalf of a context.  Must outlive it; belongs to the executor's one thread.
class GetdnsLoop {
 public:
  explicit GetdnsLoop(boost::asio::any_io_executor executor);
  GetdnsLoop(const GetdnsLoop&) = delete;
  GetdnsLoop& operator=(const GetdnsLoop&) = delete;

  getdns_eventloop* get() { return &base_.loop; }

 private:
  struct Event;
  /// What getdns hands back to the functions of the table: a C struct with our own behind it.
  struct Base {
    getdns_eventloop loop;
    GetdnsLoop* self;
  };

  static GetdnsLoop& of(getdns_eventloop* loop);
  static getdns_return_t schedule(getdns_eventloop* loop, int fd, std::uint64_t timeout,
                                  getdns_eventloop_event* event);
  static getdns_return_t clear(getdns_eventloop* loop, getdns_eventloop_event* event);
  static void nothing(getdns_eventloop* loop);
  static void run_once(getdns_eventloop* loop, int blocking);

  static getdns_eventloop_vmt table_;
  boost::asio::any_io_executor executor_;
  Base base_;
};

}  // namespace sealane

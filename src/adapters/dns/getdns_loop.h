// SPDX-License-Identifier: Apache-2.0
// getdns's event loop interface over Asio.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>

struct getdns_eventloop;

namespace sealane {

/// Waits on behalf of a context.  Must outlive it; belongs to the executor's one thread.
class GetdnsLoop {
 public:
  explicit GetdnsLoop(boost::asio::any_io_executor executor);
  ~GetdnsLoop();

  /// To be set in the context; stays owned here.
  getdns_eventloop* get();

 private:
  struct Loop;
  std::unique_ptr<Loop> loop_;
};

}  // namespace sealane

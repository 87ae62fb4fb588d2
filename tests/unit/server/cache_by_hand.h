// SPDX-License-Identifier: Apache-2.0
// An answer cache whose serving and lookup executor are one, driven by hand.
#pragma once

#include <boost/asio/io_context.hpp>
#include <utility>

#include "base/log.h"
#include "fakes.h"
#include "server/answer_cache.h"
#include "server/fake_finder.h"

namespace sealane {

struct CacheByHand {
  boost::asio::io_context io;
  FakeClock clock;
  FakeFinder finder;
  AnswerCache cache;

  explicit CacheByHand(CacheLimits limits = {})
      : cache(
            io.get_executor(), io.get_executor(),
            [this](PolicyQuestion question) { return finder.find(std::move(question)); },
            fake_format, clock, limits) {
    set_log_level(Severity::alarm);
  }

  /// Does all that can be done now.
  void go() {
    io.restart();
    io.poll();
  }
};

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
// A socketmap server with cache and finder, for tests over real sockets.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "server/front_house.h"
#include "server/socketmap.h"

namespace sealane {

class SocketmapHouse : public FrontHouse<SocketmapServer> {
 public:
  explicit SocketmapHouse(SocketmapLimits limits = {})
      : FrontHouse(
            [limits](boost::asio::any_io_executor serving, AnswerCache& cache, const Clock&) {
              return std::make_unique<SocketmapServer>(std::move(serving), cache, limits);
            },
            format) {
    run();
  }

  void hold(const std::string& key) {
    on_lookup([&] { return finder.hold.insert(key).second; });
  }
  std::size_t asked(const std::string& key) {
    return on_lookup([&] { return finder.count(key); });
  }

 private:
  /// Answers of "big…" are long, as a policy of many names is.
  static std::string format(const Decision& decision, Dialect dialect, std::string_view text) {
    std::string reply = "OK " + std::string(name_of(dialect)) + " " + std::string(text);
    if (text.starts_with("big")) reply.resize(20'000, '.');
    if (decision.action == Action::temporary) reply = "TEMP " + decision.reason;
    return reply;
  }
};

}  // namespace sealane

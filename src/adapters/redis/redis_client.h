// SPDX-License-Identifier: Apache-2.0
// A connection to a Redis server that comes back by itself: commands are sent at once, one behind
// the other, and their replies arrive in the same order.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>

#include "adapters/redis/redis_protocol.h"
#include "adapters/redis/redis_stream.h"
#include "base/result.h"
#include "base/task.h"

namespace sealane {

/// To connect, TLS and password included.
inline constexpr std::chrono::seconds kRedisConnectPatience{5};
/// Pauses between attempts: doubling from the one to the other.
inline constexpr std::chrono::seconds kRedisFirstPause{1};
inline constexpr std::chrono::seconds kRedisLastPause{30};
/// A connection that lasted so long is no flapping one: the next attempt comes soon.
inline constexpr std::chrono::seconds kRedisSteady{60};
/// A server that owes a reply so long is as good as gone.
inline constexpr std::chrono::seconds kRedisSilence{3};
/// Commands whose replies are not there yet: above the lookups that can be under way, two each.
inline constexpr std::size_t kMaxRedisPipeline = 8192;

/// Lives on the lookup thread.  One warning when the server goes away, or stays away for another
/// reason; a notice when it is back.  The password is never told to anybody but the server.
class RedisClient {
 public:
  /// Connects to nothing yet.  Fails if the CA file cannot be used.
  /// `connected`: called each time the server can be used anew.
  static Result<std::unique_ptr<RedisClient>> create(boost::asio::any_io_executor executor,
                                                     RedisOptions options,
                                                     std::function<void()> connected);
  ~RedisClient();

  /// From now on connects, and again whenever the connection ends.
  void start();
  /// Nothing more is sent.  Commands under way end without a reply.
  void close();
  bool connected() const;

  /// Nothing: no connection, no reply within `patience`, or earlier commands that wait too long
  /// already.  A command without a reply may still be carried out.
  Task<std::optional<RedisReply>> ask(RedisCommand command, std::chrono::milliseconds patience);

 private:
  class Impl;
  explicit RedisClient(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace sealane

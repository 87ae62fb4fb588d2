// SPDX-License-Identifier: Apache-2.0
// RESP, the protocol of Redis and Valkey, from and to octets.  No I/O.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sealane {

/// Octets of a reply at most: a row with the largest policy (64 KiB) has room.
inline constexpr std::size_t kMaxRedisReply = 128 * 1024;

/// A command and its arguments; any octets.
using RedisCommand = std::vector<std::string>;
std::string format_command(const RedisCommand& command);

/// The replies that our commands have.
struct RedisReply {
  enum class Kind { nil, status, error, text, number };
  Kind kind = Kind::nil;
  std::string text;  ///< of a status, an error and a text
  std::int64_t number = 0;

  bool is_status(std::string_view name) const { return kind == Kind::status && text == name; }
};

/// Cuts a stream of octets into replies.  Whoever is on the other side: it holds at most
/// kMaxRedisReply octets, and lists, which no command of ours asks for, are an error.
class RedisParser {
 public:
  RedisParser();
  ~RedisParser();

  void feed(std::string_view octets);
  /// The next reply; nothing as long as it is not complete.  After a failure the stream is lost.
  Result<std::optional<RedisReply>> next();

 private:
  struct Reader;
  std::unique_ptr<Reader> reader_;
};

}  // namespace sealane

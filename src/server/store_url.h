// SPDX-License-Identifier: Apache-2.0
// The values of store.url: a file, and the server that a fleet shares.
//
//   sqlite:/PATH
//   redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE]          rediss:// is the same over TLS
//   redis+unix://[USER:PASSWORD@]/PATH[?db=DATABASE]
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sealane {

inline constexpr std::uint16_t kRedisPort = 6379;
/// Databases have numbers; servers have 16 by default.
inline constexpr unsigned kMaxRedisDatabase = 9999;

/// A checked one.
struct RedisUrl {
  bool tls = false;
  std::string host;  ///< a name or an address, without brackets; empty: a unix socket
  std::uint16_t port = kRedisPort;
  std::string socket;
  std::string user;  ///< empty: the default user
  std::string password;
  unsigned database = 0;

  static Result<RedisUrl> parse(std::string_view text);
  static bool is_one(std::string_view text);
  /// As it is written, with "***" for the password.
  std::string text() const;
  friend bool operator==(const RedisUrl&, const RedisUrl&) = default;
};

/// Any text about the configuration: what could be the password of a URL, of whatever scheme,
/// becomes "***".
std::string without_password(std::string_view text);

}  // namespace sealane

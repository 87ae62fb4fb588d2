// SPDX-License-Identifier: Apache-2.0
// The way to a Redis server: TCP, TLS over TCP, or a unix socket.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/system/error_code.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "adapters/https/tls_client.h"
#include "base/result.h"
#include "base/task.h"

namespace sealane {

struct RedisOptions {
  bool tls = false;
  std::string host;  ///< an address, or a name: see RedisStream
  std::uint16_t port = 6379;
  std::string socket;  ///< of a unix socket; then there is no host
  std::string user;    ///< empty: the default user
  std::string password;
  unsigned database = 0;
  std::string ca_file;  ///< for TLS; empty: the system's

  /// For people; without the password.
  std::string where() const;
};

/// One thread.  close() ends whatever is under way, but for the C library's look-up of a name.
class RedisStream {
 public:
  virtual ~RedisStream() = default;
  /// TLS included.
  virtual Task<Result<void>> connect() = 0;
  virtual Task<std::size_t> read_some(boost::asio::mutable_buffer room,
                                      boost::system::error_code& error) = 0;
  /// All of it.
  virtual Task<> write(boost::asio::const_buffer octets, boost::system::error_code& error) = 0;
  virtual void close() = 0;
};

/// `tls`: only for options with TLS.
std::unique_ptr<RedisStream> make_redis_stream(boost::asio::any_io_executor executor,
                                               const RedisOptions& options, TlsContext tls);

}  // namespace sealane

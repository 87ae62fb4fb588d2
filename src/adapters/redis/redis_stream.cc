// SPDX-License-Identifier: Apache-2.0
#include "adapters/redis/redis_stream.h"

#include <openssl/ssl.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <utility>

#include "base/text.h"

namespace sealane {
namespace asio = boost::asio;
namespace {

using asio::redirect_error;
using asio::use_awaitable;
using asio::ip::tcp;
using boost::system::error_code;
using local = asio::local::stream_protocol;

template <class Stream>
class StreamOf : public RedisStream {
 public:
  template <class... Parts>
  explicit StreamOf(Parts&&... parts) : stream_(std::forward<Parts>(parts)...) {}

  Task<std::size_t> read_some(asio::mutable_buffer room, error_code& error) override {
    return stream_.async_read_some(room, redirect_error(use_awaitable, error));
  }
  Task<> write(asio::const_buffer octets, error_code& error) override {
    co_await asio::async_write(stream_, octets, redirect_error(use_awaitable, error));
  }
  void close() override {
    closed_ = true;
    error_code ignored;
    stream_.lowest_layer().close(ignored);
  }

 protected:
  Stream stream_;
  bool closed_ = false;
};

class UnixStream : public StreamOf<local::socket> {
 public:
  UnixStream(asio::any_io_executor executor, std::string path)
      : StreamOf(std::move(executor)), path_(std::move(path)) {}

  Task<Result<void>> connect() override {
    const local::endpoint endpoint(path_);
    error_code error;
    co_await stream_.async_connect(endpoint, redirect_error(use_awaitable, error));
    if (error) co_return failure("connect: {}", error.message());
    co_return Result<void>();
  }

 private:
  std::string path_;
};

/// The C library looks the name up, as for any other program of the host (/etc/hosts), in a thread
/// that Asio has for it; an address needs none.
Task<Result<void>> connect_tcp(tcp::socket& socket, const bool& closed, std::string host,
                               std::uint16_t port) {
  error_code error;
  tcp::resolver resolver(socket.get_executor());
  const std::string service = std::to_string(port);
  const auto found = co_await resolver.async_resolve(host, service, tcp::resolver::numeric_service,
                                                     redirect_error(use_awaitable, error));
  if (error) co_return failure("{}: {}", host, error.message());
  std::string cause = "no address";
  for (const auto& entry : found) {
    if (closed) break;
    const tcp::endpoint endpoint = entry.endpoint();
    error_code ignored;
    socket.close(ignored);
    co_await socket.async_connect(endpoint, redirect_error(use_awaitable, error));
    if (!error && !closed) {
      socket.set_option(tcp::no_delay(true), ignored);
      socket.set_option(asio::socket_base::keep_alive(true), ignored);
      co_return Result<void>();
    }
    cause = error.message();
  }
  co_return failure("connect: {}", cause);
}

class TcpStream : public StreamOf<tcp::socket> {
 public:
  TcpStream(asio::any_io_executor executor, std::string host, std::uint16_t port)
      : StreamOf(std::move(executor)), host_(std::move(host)), port_(port) {}

  Task<Result<void>> connect() override { return connect_tcp(stream_, closed_, host_, port_); }

 private:
  std::string host_;
  std::uint16_t port_;
};

class TlsOverTcp : public StreamOf<TlsStream> {
 public:
  TlsOverTcp(asio::any_io_executor executor, TlsContext context, std::string host,
             std::uint16_t port)
      : StreamOf(std::move(executor), *context),
        context_(std::move(context)),
        host_(std::move(host)),
        port_(port) {}

  Task<Result<void>> connect() override {
    const Result<void> connected =
        co_await connect_tcp(stream_.next_layer(), closed_, host_, port_);
    if (!connected) co_return connected;
    const CertificateFault fault = expect_host(stream_, host_);
    // RFC 6066 3: an address is no server name.
    if (is_ip_address(host_)) SSL_set_tlsext_host_name(stream_.native_handle(), nullptr);
    error_code error;
    co_await stream_.async_handshake(TlsStream::client, redirect_error(use_awaitable, error));
    if (error) co_return failure("{}", handshake_cause(error, fault));
    co_return Result<void>();
  }

 private:
  TlsContext context_;
  std::string host_;
  std::uint16_t port_;
};

}  // namespace

std::string RedisOptions::where() const {
  if (!socket.empty()) return fmt::format("redis+unix://{}", socket);
  const bool v6 = host.find(':') != std::string::npos;
  return fmt::format("{}://{}{}{}:{}", tls ? "rediss" : "redis", v6 ? "[" : "", host, v6 ? "]" : "",
                     port);
}

std::unique_ptr<RedisStream> make_redis_stream(asio::any_io_executor executor,
                                               const RedisOptions& options, TlsContext tls) {
  if (!options.socket.empty()) {
    return std::make_unique<UnixStream>(std::move(executor), options.socket);
  }
  if (options.tls) {
    return std::make_unique<TlsOverTcp>(std::move(executor), std::move(tls), options.host,
                                        options.port);
  }
  return std::make_unique<TcpStream>(std::move(executor), options.host, options.port);
}

}  // namespace sealane

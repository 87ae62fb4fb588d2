// SPDX-License-Identifier: Apache-2.0
#include "adapters/dns/tcp_queries.h"

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <exception>
#include <random>
#include <utility>

#include "adapters/dns/wire_message.h"

namespace sealane {
namespace {

namespace asio = boost::asio;
using asio::redirect_error;
using asio::use_awaitable;
using asio::ip::tcp;

/// A message is preceded by its length (RFC 1035 4.2.2).
constexpr std::size_t kLengthOctets = 2;
constexpr std::size_t kIdOctets = 2;

std::string with_length(const std::string& message) {
  std::string framed;
  framed.push_back(static_cast<char>(message.size() >> 8));
  framed.push_back(static_cast<char>(message.size() & 0xff));
  return framed + message;
}

/// Sends what is framed and returns the first message of what comes back; empty if none came.
Task<std::string> converse(tcp::socket& socket, tcp::endpoint server, std::string framed) {
  boost::system::error_code error;
  co_await socket.async_connect(server, redirect_error(use_awaitable, error));
  if (error) co_return std::string();
  co_await asio::async_write(socket, asio::buffer(framed), redirect_error(use_awaitable, error));
  if (error) co_return std::string();
  std::array<unsigned char, kLengthOctets> length{};
  co_await asio::async_read(socket, asio::buffer(length), redirect_error(use_awaitable, error));
  if (error) co_return std::string();
  std::string reply(std::size_t{length[0]} << 8 | length[1], '\0');
  co_await asio::async_read(socket, asio::buffer(reply), redirect_error(use_awaitable, error));
  if (error) co_return std::string();
  co_return reply;
}

}  // namespace

struct TcpQueries::Exchange {
  Exchange(const asio::any_io_executor& executor, std::chrono::steady_clock::time_point deadline)
      : socket(executor), limit(executor, deadline) {}

  void hang_up() {
    limit.cancel();
    boost::system::error_code ignored;
    socket.close(ignored);
  }

  tcp::socket socket;
  asio::steady_timer limit;
};

TcpQueries::TcpQueries(asio::any_io_executor executor, const NameServer& server)
    : executor_(std::move(executor)),
      server_(server),
      admission_(executor_, {kMaxTcpQueries, kMaxTcpQueriesPerKey, kMaxWaitingTcpQueries},
                 kTcpQueuePatience) {}

Task<std::optional<DnsMessage>> TcpQueries::query(std::string name, std::uint16_t type,
                                                  std::chrono::milliseconds patience,
                                                  std::string for_key) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  const auto turn = admission_.enter(for_key);
  bool may_go = false;
  if (turn) may_go = co_await admission_.wait(turn);
  if (!may_go) co_return std::nullopt;
  const auto id = static_cast<std::uint16_t>(std::random_device{}());
  const std::string message = write_query(id, name, type);
  std::exception_ptr error;
  std::string reply;
  try {
    reply = co_await exchange(message, deadline);
  } catch (...) {
    error = std::current_exception();
  }
  admission_.leave(*turn);
  if (error) std::rethrow_exception(error);
  if (reply.substr(0, kIdOctets) != message.substr(0, kIdOctets)) co_return std::nullopt;
  co_return parse_message(reply);
}

/// The reply to one message; empty if there was none.
Task<std::string> TcpQueries::exchange(std::string message,
                                       std::chrono::steady_clock::time_point deadline) {
  if (closed_) co_return std::string();
  const auto exchange = std::make_shared<Exchange>(executor_, deadline);
  exchange->limit.async_wait([exchange](const boost::system::error_code& error) {
    if (!error) exchange->hang_up();
  });
  under_way_.insert(exchange);
  const tcp::endpoint endpoint(server_.address, server_.port);
  std::string reply = co_await converse(exchange->socket, endpoint, with_length(message));
  exchange->hang_up();
  under_way_.erase(exchange);
  co_return reply;
}

void TcpQueries::close() {
  closed_ = true;
  admission_.close();
  for (const auto& exchange : under_way_) exchange->hang_up();
}

}  // namespace sealane

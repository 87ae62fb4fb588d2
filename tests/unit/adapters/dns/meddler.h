// SPDX-License-Identifier: Apache-2.0
// Somebody between us and a real resolver: loses, holds back and changes packets on purpose.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <functional>
#include <map>
#include <string>

#include "adapters/dns/name_servers.h"
#include "base/task.h"

namespace sealane {

/// A UDP forwarder on a port of 127.0.0.5.
class Meddler {
 public:
  using Udp = boost::asio::ip::udp;

  Meddler(boost::asio::io_context& io, const std::string& target_address)
      : socket_(io, Udp::endpoint(boost::asio::ip::make_address("127.0.0.5"), 0)) {
    aim_at(target_address);
    boost::asio::co_spawn(io, serve(), boost::asio::detached);
  }

  void aim_at(const std::string& address) {
    target_ = Udp::endpoint(boost::asio::ip::make_address(address), kDnsPort);
  }
  NameServer server() const {
    return {socket_.local_endpoint().address(), socket_.local_endpoint().port()};
  }
  void stop() { socket_.close(); }

  /// Query -> is it lost?  Text is the question in wire form; the count is of the same question.
  std::function<bool(const std::string& question, int count)> loses = [](const auto&, int) {
    return false;
  };
  std::function<void(std::string& reply)> changes = [](std::string&) {};
  int packets = 0;

 private:
  static constexpr std::size_t kHeader = 12;

  Task<> serve() {
    std::string packet(65535, '\0');
    Udp::endpoint client;
    boost::system::error_code error;
    while (!error) {
      const std::size_t n = co_await socket_.async_receive_from(
          boost::asio::buffer(packet), client,
          boost::asio::redirect_error(boost::asio::use_awaitable, error));
      if (error || n < kHeader) continue;
      ++packets;
      const std::string query = packet.substr(0, n);
      const std::string question = query.substr(kHeader, query.find('\0', kHeader) - kHeader);
      if (loses(question, ++counts_[question])) continue;
      boost::asio::co_spawn(socket_.get_executor(), relay(query, client), boost::asio::detached);
    }
  }

  Task<> relay(std::string query, Udp::endpoint client) {
    Udp::socket out(socket_.get_executor(), target_.protocol());
    out.connect(target_);
    out.send(boost::asio::buffer(query));
    std::string reply(65535, '\0');
    boost::system::error_code error;
    const std::size_t n = co_await out.async_receive(
        boost::asio::buffer(reply), boost::asio::redirect_error(boost::asio::use_awaitable, error));
    if (error) co_return;
    reply.resize(n);
    changes(reply);
    if (socket_.is_open()) socket_.send_to(boost::asio::buffer(reply), client, 0, error);
  }

  Udp::socket socket_;
  Udp::endpoint target_;
  std::map<std::string, int> counts_;
};

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
#include "adapters/https/conversation.h"

#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <utility>

#include "adapters/https/reply_reader.h"

namespace sealane {
namespace {

using boost::asio::redirect_error;
using boost::asio::use_awaitable;
using boost::system::error_code;

tl::unexpected<FetchFailure> failed(FetchProblem problem, std::string text) {
  return tl::unexpected(FetchFailure{problem, std::move(text), {}});
}

/// Our own machine knows no way there: no address of that family (IPv6 is switched off), a filter
/// of ours, no route.  A router or filter on the way may say the last about the other side (ICMP):
/// connecting a datagram socket, which sends nothing, tells the two apart.
bool is_no_route(int error, const boost::asio::ip::tcp::endpoint& to) {
  if (error == EAFNOSUPPORT || error == EADDRNOTAVAIL || error == EPERM) return true;
  if (error != ENETUNREACH && error != EHOSTUNREACH && error != EACCES) return false;
  const int probe = ::socket(to.protocol().family(), SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (probe < 0) return true;
  const bool has_route = ::connect(probe, to.data(), static_cast<socklen_t>(to.size())) == 0;
  ::close(probe);
  return !has_route;
}

/// Our machine has no room for a connection, to whomever.
bool is_own(int error) {
  return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS;
}

std::string request_text(const std::string& host, std::uint16_t port) {
  const std::string authority = port == 443 ? host : fmt::format("{}:{}", host, port);
  return "GET /.well-known/mta-sts.txt HTTP/1.1\r\n"
         "Host: " +
         authority +
         "\r\n"
         "User-Agent: sealane/" SEALANE_VERSION
         "\r\n"
         "Accept: text/plain\r\n"
         "Accept-Encoding: identity\r\n"
         "Connection: close\r\n"
         "\r\n";
}

}  // namespace

Conversation::Conversation(boost::asio::any_io_executor executor, TlsContext context)
    : context_(std::move(context)), stream_(executor, *context_), deadline_(executor) {}

void Conversation::stop(FetchFailure why) {
  if (stopped_) return;
  stopped_ = std::move(why);
  error_code ignored;
  stream_.next_layer().close(ignored);
}

void Conversation::limit(Moment until, std::chrono::milliseconds shown) {
  const unsigned number = ++deadline_number_;
  deadline_.expires_at(until);
  deadline_.async_wait([watch = weak_from_this(), number, shown](error_code error) {
    const auto self = watch.lock();
    // A handler that was queued already runs in spite of a later limit(): hence the number.
    if (error || !self || number != self->deadline_number_) return;
    const auto problem = self->phase_ == "connect" ? FetchProblem::connect : FetchProblem::timeout;
    const double seconds = static_cast<double>(shown.count()) / 1000;
    self->stop({problem, fmt::format("no answer within {:g} s ({})", seconds, self->phase_), {}});
  });
}

FetchFailure Conversation::failed_connect(const error_code& error,
                                          const boost::asio::ip::tcp::endpoint& to) {
  no_route_ = is_no_route(error.value(), to);
  const auto problem = is_own(error.value()) ? FetchProblem::own : FetchProblem::connect;
  return {problem, "connect: " + error.message(), {}};
}

Task<Conversation::Step> Conversation::connect(boost::asio::ip::tcp::endpoint endpoint) {
  if (stopped_) co_return tl::unexpected(*stopped_);
  error_code error;
  stream_.next_layer().open(endpoint.protocol(), error);
  if (error) co_return tl::unexpected(failed_connect(error, endpoint));
  co_await stream_.next_layer().async_connect(endpoint, redirect_error(use_awaitable, error));
  if (stopped_) co_return tl::unexpected(*stopped_);
  if (error) co_return tl::unexpected(failed_connect(error, endpoint));
  co_return Step();
}

Task<Conversation::Step> Conversation::open_tunnel(std::string authority) {
  phase_ = "proxy";
  const std::string request = "CONNECT " + authority + " HTTP/1.1\r\nHost: " + authority +
                              "\r\nUser-Agent: sealane/" SEALANE_VERSION "\r\n\r\n";
  error_code error;
  co_await boost::asio::async_write(stream_.next_layer(), boost::asio::buffer(request),
                                    redirect_error(use_awaitable, error));
  ReplyReader reader(ReplyReader::Kind::tunnel);
  while (!error) {
    const std::size_t n = co_await stream_.next_layer().async_read_some(
        boost::asio::buffer(buffer_), redirect_error(use_awaitable, error));
    if (error) break;
    const auto done = reader.take({buffer_.data(), n});
    if (!done) co_return failed(done.error().problem, "proxy answered " + done.error().text);
    if (*done) co_return Step();
  }
  // The proxy took the connection: that it cannot reach the policy host, or not in time, says
  // something about that host.  When it is so for everybody, NetworkHealth notices.
  if (stopped_) co_return failed(FetchProblem::connect, stopped_->text);
  co_return failed(is_closed(error) ? FetchProblem::connect : FetchProblem::own,
                   "proxy: " + error.message());
}

Task<Conversation::Step> Conversation::shake_hands(std::string host) {
  if (stopped_) co_return tl::unexpected(*stopped_);
  phase_ = "TLS handshake";
  const CertificateFault fault = expect_host(stream_, host);
  if (!fault) co_return failed(FetchProblem::own, "no memory for TLS");
  error_code error;
  co_await stream_.async_handshake(TlsStream::client, redirect_error(use_awaitable, error));
  if (stopped_) co_return tl::unexpected(*stopped_);
  if (!error) co_return Step();
  // Who hangs up shows no certificate that could be found wanting.
  const bool hung_up = fault->empty() && is_closed(error);
  const auto problem = hung_up ? FetchProblem::protocol : FetchProblem::tls;
  co_return failed(problem, handshake_cause(error, fault));
}

Task<Conversation::Body> Conversation::get(std::string host, std::uint16_t port) {
  if (stopped_) co_return tl::unexpected(*stopped_);
  phase_ = "reply";
  const std::string request = request_text(host, port);
  error_code error;
  co_await boost::asio::async_write(stream_, boost::asio::buffer(request),
                                    redirect_error(use_awaitable, error));
  ReplyReader reader(ReplyReader::Kind::policy);
  // A server may refuse and close before it has read all: what it said is worth more.
  error.clear();
  while (!error) {
    const std::size_t n = co_await stream_.async_read_some(boost::asio::buffer(buffer_),
                                                           redirect_error(use_awaitable, error));
    if (stopped_) co_return tl::unexpected(*stopped_);
    auto done = error == boost::asio::error::eof ? reader.end() : reader.take({buffer_.data(), n});
    if (!done) co_return tl::unexpected(std::move(done.error()));
    if (*done) co_return std::move(reader).body();
  }
  co_return failed(FetchProblem::protocol, "connection lost: " + error.message());
}

}  // namespace sealane

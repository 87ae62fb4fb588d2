// SPDX-License-Identifier: Apache-2.0
#include "server/acceptor.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <optional>
#include <utility>

#include "base/log.h"
#include "lookup/waiting.h"

namespace sealane {
namespace asio = boost::asio;
using boost::system::error_code;

struct Acceptor::Source {
  Source(const asio::any_io_executor& executor, Listener taken)
      : listener(std::move(taken)),
        family(listener->family()),
        name(listener->address().text()),
        acceptor(executor, asio::generic::stream_protocol(family, 0), listener->release()),
        pause(executor) {}
  std::optional<Listener> listener;
  int family;
  std::string name;
  asio::basic_socket_acceptor<asio::generic::stream_protocol> acceptor;
  asio::steady_timer pause;
  bool closed = false;
};

Acceptor::Acceptor(asio::any_io_executor executor, std::function<void(Socket)> taken)
    : executor_(std::move(executor)), taken_(std::move(taken)) {}

Acceptor::~Acceptor() = default;

void Acceptor::start(std::vector<Listener> listeners) {
  for (Listener& listener : listeners) {
    auto source = std::make_shared<Source>(executor_, std::move(listener));
    sources_.push_back(source);
    spawn_detached(executor_, accept(source), "accepting");
  }
}

Task<> Acceptor::accept(std::shared_ptr<Source> source) {
  bool failing = false;
  while (!source->closed) {
    error_code error;
    Socket socket =
        co_await source->acceptor.async_accept(asio::redirect_error(asio::use_awaitable, error));
    if (source->closed) co_return;
    if (!error) {
      failing = false;
      error_code ignored;
      socket.non_blocking(true, ignored);
      const int on = 1;
      if (source->family != AF_UNIX) {
        ::setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      }
      taken_(std::move(socket));
      continue;
    }
    ++errors_;
    if (!failing) {
      log(Severity::error, "accept_failed", {{"listen", source->name}, {"cause", error.message()}});
    }
    failing = true;
    source->pause.expires_after(kAcceptBackOff);
    co_await source->pause.async_wait(asio::redirect_error(asio::use_awaitable, error));
  }
}

void Acceptor::close() {
  for (const auto& source : sources_) {
    source->closed = true;
    error_code ignored;
    source->acceptor.close(ignored);
    source->pause.cancel();
    source->listener.reset();
  }
}

}  // namespace sealane

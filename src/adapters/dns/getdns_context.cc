// SPDX-License-Identifier: Apache-2.0
#include "adapters/dns/getdns_context.h"

#include <getdns/getdns.h>
#include <getdns/getdns_extra.h>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <iterator>
#include <string_view>
#include <utility>

#include "adapters/dns/getdns_loop.h"
#include "adapters/dns/wire_message.h"

namespace sealane {
namespace {

namespace asio = boost::asio;

/// getdns's own timeout in milliseconds, longer than any patience: it only ends what ours missed.
constexpr std::uint64_t kGetdnsTimeout = 10'000;

struct FreeDict {
  void operator()(getdns_dict* dict) const { getdns_dict_destroy(dict); }
};
struct FreeList {
  void operator()(getdns_list* list) const { getdns_list_destroy(list); }
};
struct FreeContext {
  void operator()(getdns_context* context) const { getdns_context_destroy(context); }
};
using Dict = std::unique_ptr<getdns_dict, FreeDict>;
using List = std::unique_ptr<getdns_list, FreeList>;
using Context = std::unique_ptr<getdns_context, FreeContext>;

/// A query under way.  Its timer is both the deadline and what the waiter sleeps on: cancelling it
/// posts the coroutine, which so never runs inside a callback of getdns.
struct Query {
  Query(const asio::any_io_executor& executor, std::chrono::milliseconds patience)
      : landed(executor, patience) {}
  asio::steady_timer landed;
  std::optional<DnsMessage> message;
  bool called_back = false;
};

/// getdns calls this once for each query that it accepted; `share` is our shared_ptr on the heap.
void on_reply(getdns_context*, getdns_callback_type_t type, getdns_dict* response, void* share,
              getdns_transaction_t) {
  const Dict owned(response);
  const std::unique_ptr<std::shared_ptr<Query>> query(static_cast<std::shared_ptr<Query>*>(share));
  getdns_bindata* wire = nullptr;
  if (type == GETDNS_CALLBACK_COMPLETE && response != nullptr &&
      getdns_dict_get_bindata(response, "/replies_full/0", &wire) == GETDNS_RETURN_GOOD) {
    const std::string_view octets(reinterpret_cast<const char*>(wire->data), wire->size);
    (*query)->message = parse_message(octets);
  }
  (*query)->called_back = true;
  (*query)->landed.cancel();
}

List upstream_list(const NameServer& server) {
  List list(getdns_list_create());
  Dict upstream(getdns_dict_create());
  if (!list || !upstream) return nullptr;
  std::string octets;
  if (server.address.is_v4()) {
    const auto bytes = server.address.to_v4().to_bytes();
    octets.assign(bytes.begin(), bytes.end());
  } else {
    const auto bytes = server.address.to_v6().to_bytes();
    octets.assign(bytes.begin(), bytes.end());
  }
  getdns_bindata data{octets.size(), reinterpret_cast<std::uint8_t*>(octets.data())};
  const char* family = server.address.is_v4() ? "IPv4" : "IPv6";
  const bool good =
      getdns_dict_util_set_string(upstream.get(), "address_type", family) == GETDNS_RETURN_GOOD &&
      getdns_dict_set_bindata(upstream.get(), "address_data", &data) == GETDNS_RETURN_GOOD &&
      getdns_dict_set_int(upstream.get(), "port", server.port) == GETDNS_RETURN_GOOD &&
      getdns_list_set_dict(list.get(), 0, upstream.get()) == GETDNS_RETURN_GOOD;
  return good ? std::move(list) : nullptr;
}

getdns_return_t configure(getdns_context* context, getdns_list* upstreams, getdns_eventloop* loop) {
  getdns_transport_list_t transports[] = {GETDNS_TRANSPORT_UDP};  // TCP: tcp_queries.h says why
  const getdns_return_t steps[] = {
      getdns_context_set_resolution_type(context, GETDNS_RESOLUTION_STUB),
      getdns_context_set_upstream_recursive_servers(context, upstreams),
      getdns_context_set_dns_transport_list(context, std::size(transports), transports),
      getdns_context_set_append_name(context, GETDNS_APPEND_NAME_NEVER),
      getdns_context_set_timeout(context, kGetdnsTimeout),
      getdns_context_set_edns_maximum_udp_payload_size(context, kUdpPayload),
      getdns_context_set_eventloop(context, loop)};
  for (getdns_return_t step : steps) {
    if (step != GETDNS_RETURN_GOOD) return step;
  }
  return GETDNS_RETURN_GOOD;
}

}  // namespace

struct GetdnsContext::Impl {
  explicit Impl(const asio::any_io_executor& of) : executor(of), loop(of) {}

  asio::any_io_executor executor;
  GetdnsLoop loop;  // outlives the context
  Dict extensions;
  Context context;
};

Result<std::unique_ptr<GetdnsContext>> GetdnsContext::create(asio::any_io_executor executor,
                                                             const NameServer& server) {
  auto impl = std::make_shared<Impl>(executor);
  getdns_context* context = nullptr;
  getdns_return_t error = getdns_context_create(&context, 0);
  impl->context.reset(context);
  const List upstreams = upstream_list(server);
  impl->extensions.reset(getdns_dict_create());
  if (!upstreams || !impl->extensions) return failure("getdns: out of memory");
  if (error == GETDNS_RETURN_GOOD) {
    error = configure(context, upstreams.get(), impl->loop.get());
  }
  // Asks for the AD bit without DNSSEC records (RFC 6840 5.7).  Any dnssec extension would set CD.
  if (error == GETDNS_RETURN_GOOD) {
    error = getdns_dict_set_int(impl->extensions.get(), "/header/ad", 1);
  }
  if (error != GETDNS_RETURN_GOOD) {
    return failure("getdns for {}: {}", to_text(server), getdns_get_errorstr_by_id(error));
  }
  return std::unique_ptr<GetdnsContext>(new GetdnsContext(std::move(impl)));
}

GetdnsContext::GetdnsContext(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

GetdnsContext::~GetdnsContext() { close(); }

void GetdnsContext::close() { impl_->context.reset(); }

Task<std::optional<DnsMessage>> GetdnsContext::query(std::string name, std::uint16_t type,
                                                     std::chrono::milliseconds patience) {
  const std::shared_ptr<Impl> impl = impl_;
  if (!impl->context) co_return std::nullopt;
  auto query = std::make_shared<Query>(impl->executor, patience);
  auto share = std::make_unique<std::shared_ptr<Query>>(query);
  getdns_transaction_t transaction = 0;
  const getdns_return_t sent =
      getdns_general(impl->context.get(), name.c_str(), type, impl->extensions.get(), share.get(),
                     &transaction, on_reply);
  if (sent != GETDNS_RETURN_GOOD) co_return std::nullopt;  // then no callback comes
  [[maybe_unused]] auto* callback_owns_it = share.release();
  boost::system::error_code woken;
  if (!query->called_back) {
    co_await query->landed.async_wait(asio::redirect_error(asio::use_awaitable, woken));
  }
  if (!query->called_back && impl->context) {
    getdns_cancel_callback(impl->context.get(), transaction);
  }
  co_return std::move(query->message);
}

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
// Where to connect to for a policy host.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <string>
#include <vector>

#include "adapters/https/address_filter.h"
#include "adapters/https/https_fetcher.h"
#include "base/task.h"

namespace sealane {

struct Targets {
  std::vector<boost::asio::ip::address> addresses;  ///< at least one, in the order to try them
  /// One family's lookup failed because of us: if the other's addresses do not do, we do not know.
  bool own_gap = false;
};
using FoundTargets = tl::expected<Targets, FetchFailure>;

/// What the answers of both families come to.  `filter` null: every address is fine.
FoundTargets choose_targets(const Domain& host, const DnsReply& a, const DnsReply& aaaa,
                            const AddressFilter* filter);

/// Asks for the addresses of `host` on behalf of `for_key`, both families side by side: a family
/// that we have no way out in shows when connecting, as our own fault.  `fresh`: whatever the
/// resolver remembers.  The resolver and the filter must outlive it.
Task<FoundTargets> find_targets(Resolver& resolver, Domain host, std::string for_key,
                                const AddressFilter* filter, bool fresh = false);

/// "host:port" or "[IPv6]:port".
struct ProxyName {
  std::string host;
  std::uint16_t port = 0;
};
Result<ProxyName> parse_proxy(std::string_view text);

}  // namespace sealane

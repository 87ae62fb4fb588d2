// SPDX-License-Identifier: Apache-2.0
#include "daemon_options.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <cerrno>
#include <cstring>

namespace sealane {
namespace {

/// Whether packets to the Internet have a way out.  "Connecting" UDP asks the routing table and
/// sends nothing; the addresses are those of documentation (RFC 5737, RFC 3849).
bool has_route(int family) {
  const int probe = ::socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (probe < 0) return false;
  int outcome = -1;
  if (family == AF_INET) {
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_port = htons(25);
    ::inet_pton(AF_INET, "192.0.2.1", &name.sin_addr);
    outcome = ::connect(probe, reinterpret_cast<sockaddr*>(&name), sizeof name);
  } else {
    sockaddr_in6 name{};
    name.sin6_family = AF_INET6;
    name.sin6_port = htons(25);
    ::inet_pton(AF_INET6, "2001:db8::1", &name.sin6_addr);
    outcome = ::connect(probe, reinterpret_cast<sockaddr*>(&name), sizeof name);
  }
  ::close(probe);
  return outcome == 0;
}

}  // namespace

Result<void> raise_descriptors() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return failure("{}", std::strerror(errno));
  if (limit.rlim_cur < kWantedDescriptors) {
    rlimit raised = limit;
    raised.rlim_cur = std::min<rlim_t>(limit.rlim_max, kWantedDescriptors);
    if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
  }
  if (limit.rlim_cur >= kMinDescriptors) return {};
  return failure("only {} descriptors are allowed, {} are needed: raise LimitNOFILE= or ulimit -n",
                 limit.rlim_cur, kMinDescriptors);
}

Families families_of(const Config& config) {
  if (config.families) return *config.families;
  const bool v4 = has_route(AF_INET);
  const bool v6 = has_route(AF_INET6);
  if (v4 == v6) return Families::any;  // no route at all tells nothing
  return v4 ? Families::ipv4 : Families::ipv6;
}

ResolverOptions resolver_options(const Config& config) {
  ResolverOptions options;
  for (const UpstreamAddress& upstream : config.upstreams) {
    options.upstreams.push_back({boost::asio::ip::make_address(upstream.address), upstream.port});
  }
  if (options.upstreams.empty()) options.upstreams = loopback_name_servers(kResolvConf);
  switch (config.trust_ad) {
    case AdTrust::loopback:
      options.trust_ad = TrustAd::loopback;
      break;
    case AdTrust::always:
      options.trust_ad = TrustAd::always;
      break;
    case AdTrust::never:
      options.trust_ad = TrustAd::never;
      break;
  }
  options.bogus_canary = config.bogus_canary;
  // The attempts keep their proportions, and fill the time as they do by default.
  for (std::chrono::milliseconds& attempt : options.patience) {
    attempt = attempt * config.dns_timeout.count() / kDefaultDnsTimeout.count();
  }
  return options;
}

HttpsOptions https_options(const Config& config) {
  HttpsOptions options;
  options.ca_file = config.ca_file;
  options.allow_addresses = config.allow_addresses;
  options.proxy = config.proxy;
  return options;
}

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
// Where the resolvers are.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sealane {

inline constexpr std::uint16_t kDnsPort = 53;
/// The C library, and with it Postfix, looks at the first three only (resolv.conf(5), MAXNS).
inline constexpr std::size_t kMaxNameServers = 3;

struct NameServer {
  boost::asio::ip::address address;
  std::uint16_t port = kDnsPort;
  friend bool operator==(const NameServer&, const NameServer&) = default;
};

/// "127.0.0.1", "127.0.0.1@5353": the port only where it is not 53.
std::string to_text(const NameServer& server);

/// The `nameserver` lines of a resolv.conf as the C library reads them: unreadable ones are
/// skipped, and without any it is 127.0.0.1.
std::vector<NameServer> parse_resolv_conf(std::string_view text);

/// The name servers of a file; a file that cannot be read counts as empty, as in the C library.
std::vector<NameServer> name_servers(const std::string& path);

/// Those of them on a loopback address: the only ones whose AD bit nobody can forge on its way.
std::vector<NameServer> loopback_name_servers(const std::string& path);

}  // namespace sealane

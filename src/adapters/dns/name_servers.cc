// SPDX-License-Identifier: Apache-2.0
#include "adapters/dns/name_servers.h"

#include <fmt/format.h>

#include <fstream>
#include <iterator>

#include "base/text.h"

namespace sealane {

std::string to_text(const NameServer& server) {
  const std::string address = server.address.to_string();
  return server.port == kDnsPort ? address : fmt::format("{}@{}", address, server.port);
}

std::vector<NameServer> parse_resolv_conf(std::string_view text) {
  std::vector<NameServer> servers;
  for (std::string_view line : split(text, '\n')) {
    const std::vector<std::string_view> fields = words(line.substr(0, line.find_first_of("#;\r")));
    if (fields.size() < 2 || fields[0] != "nameserver") continue;
    boost::system::error_code error;
    const auto address = boost::asio::ip::make_address(std::string(fields[1]), error);
    if (!error && servers.size() < kMaxNameServers) servers.push_back({address, kDnsPort});
  }
  if (servers.empty()) servers.push_back({boost::asio::ip::address_v4::loopback(), kDnsPort});
  return servers;
}

std::vector<NameServer> name_servers(const std::string& path) {
  std::ifstream file(path);
  return parse_resolv_conf(std::string(std::istreambuf_iterator<char>(file), {}));
}

std::vector<NameServer> loopback_name_servers(const std::string& path) {
  std::vector<NameServer> servers = name_servers(path);
  std::erase_if(servers, [](const NameServer& s) { return !s.address.is_loopback(); });
  return servers;
}

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
// Which addresses a policy may be fetched from.  Anybody can make `mta-sts.evil.example` point into
// our network; without this filter the fetcher would be a tool to reach what only we can reach.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sealane {

/// Refuses every address that is not global unicast.  An IPv6 address that carries an IPv4 address
/// (v4-mapped, 6to4, NAT64's 64:ff9b::/96) is judged by that.  Immutable.
class AddressFilter {
 public:
  /// `exceptions`: networks ("10.1.0.0/16", "fd00::/8") or single addresses that are allowed
  /// although they are not global.  Fails, naming the text, when one cannot be read or has bits
  /// set beyond its prefix.
  static Result<AddressFilter> create(const std::vector<std::string>& exceptions);

  /// Why this address is not to be connected to ("private", "loopback", …); nullopt = go ahead.
  std::optional<std::string_view> refusal(const boost::asio::ip::address& address) const;

 private:
  bool excepted(const boost::asio::ip::address& address) const;

  std::vector<boost::asio::ip::network_v4> networks_v4_;
  std::vector<boost::asio::ip::network_v6> networks_v6_;
};

}  // namespace sealane

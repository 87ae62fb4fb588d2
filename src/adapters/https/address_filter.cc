// SPDX-License-Identifier: Apache-2.0
#include "adapters/https/address_filter.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "base/text.h"

namespace sealane {
namespace {

using boost::asio::ip::address;
using boost::asio::ip::address_v4;
using boost::asio::ip::address_v6;
using Octets6 = address_v6::bytes_type;

struct Range4 {
  address_v4::bytes_type network;
  unsigned bits;
  std::string_view name;
};

// IANA IPv4 Special-Purpose Address Registry: what is not globally reachable.
constexpr std::array<Range4, 15> kNotGlobal4{{{{0, 0, 0, 0}, 8, "this network"},
                                              {{10, 0, 0, 0}, 8, "private"},
                                              {{100, 64, 0, 0}, 10, "shared (carrier NAT)"},
                                              {{127, 0, 0, 0}, 8, "loopback"},
                                              {{169, 254, 0, 0}, 16, "link-local"},
                                              {{172, 16, 0, 0}, 12, "private"},
                                              {{192, 0, 0, 0}, 24, "protocol assignments"},
                                              {{192, 0, 2, 0}, 24, "documentation"},
                                              {{192, 88, 99, 0}, 24, "6to4 relay"},
                                              {{192, 168, 0, 0}, 16, "private"},
                                              {{198, 18, 0, 0}, 15, "benchmarking"},
                                              {{198, 51, 100, 0}, 24, "documentation"},
                                              {{203, 0, 113, 0}, 24, "documentation"},
                                              {{224, 0, 0, 0}, 4, "multicast"},
                                              {{240, 0, 0, 0}, 4, "reserved"}}};

struct Range6 {
  std::array<std::uint8_t, 8> network;  // no prefix here is longer than 64 bits
  unsigned bits;
  std::string_view name;
};

// Inside 2000::/3, the only global unicast space, these are not global.  The rest of the table
// gives names to what lies outside of it; what has no name is "not global unicast".
constexpr std::array<Range6, 10> kNotGlobal6{
    {{{0x20, 0x01, 0x00, 0x00}, 32, "Teredo"},
     {{0x20, 0x01, 0x00, 0x00}, 23, "protocol assignments"},
     {{0x20, 0x01, 0x0d, 0xb8}, 32, "documentation"},
     {{0x3f, 0xff, 0x00, 0x00}, 20, "documentation"},
     {{0xfc, 0x00, 0x00, 0x00}, 7, "unique-local"},
     {{0xfe, 0x80, 0x00, 0x00}, 10, "link-local"},
     {{0xfe, 0xc0, 0x00, 0x00}, 10, "site-local"},
     {{0xff, 0x00, 0x00, 0x00}, 8, "multicast"},
     {{0x01, 0x00, 0x00, 0x00, 0, 0, 0, 0}, 64, "discard"},
     {{0x00, 0x64, 0xff, 0x9b, 0x00, 0x01}, 48, "local NAT64"}}};

template <class Network, class Octets>
bool lies_in(const Octets& octets, const Network& network, unsigned bits) {
  const std::size_t whole = bits / 8;
  if (!std::equal(network.begin(), network.begin() + whole, octets.begin())) return false;
  const unsigned rest = bits % 8;
  if (rest == 0) return true;
  const auto mask = static_cast<std::uint8_t>(0xff << (8 - rest));
  return (octets[whole] & mask) == (network[whole] & mask);
}

std::optional<std::string_view> refusal4(const address_v4& address) {
  for (const Range4& range : kNotGlobal4) {
    if (lies_in(address.to_bytes(), range.network, range.bits)) return range.name;
  }
  return std::nullopt;
}

std::optional<std::string_view> refusal6(const address_v6& address) {
  if (address.is_unspecified()) return "unspecified";
  if (address.is_loopback()) return "loopback";
  const Octets6 octets = address.to_bytes();
  for (const Range6& range : kNotGlobal6) {
    if (lies_in(octets, range.network, range.bits)) return range.name;
  }
  if ((octets[0] & 0xe0) != 0x20) return "not global unicast";
  return std::nullopt;
}

/// The IPv4 address that packets to this address end up at.
std::optional<address_v4> embedded(const address_v6& address) {
  constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  constexpr std::array<std::uint8_t, 12> kNat64{0, 0x64, 0xff, 0x9b};
  constexpr std::array<std::uint8_t, 2> k6to4{0x20, 0x02};
  const Octets6 o = address.to_bytes();
  if (lies_in(o, kMapped, 96) || lies_in(o, kNat64, 96)) {
    return address_v4(address_v4::bytes_type{o[12], o[13], o[14], o[15]});
  }
  if (lies_in(o, k6to4, 16)) return address_v4(address_v4::bytes_type{o[2], o[3], o[4], o[5]});
  return std::nullopt;
}

template <class Network, class Address>
Result<Network> network_of(const std::string& text, const Address& base, unsigned max_bits,
                           std::optional<std::string_view> prefix) {
  const auto bits = prefix ? parse_decimal(*prefix, max_bits) : max_bits;
  if (!bits) return failure("\"{}\": a prefix is 0 to {}", escape(text), max_bits);
  const Network network(base, static_cast<unsigned short>(*bits));
  if (network.canonical() != network) {
    return failure("\"{}\": bits are set beyond the prefix; meant is {}", escape(text),
                   network.canonical().to_string());
  }
  return network;
}

}  // namespace

Result<AddressFilter> AddressFilter::create(const std::vector<std::string>& exceptions) {
  AddressFilter filter;
  for (const std::string& text : exceptions) {
    const auto pieces = split(text, '/');
    boost::system::error_code error;
    const address base = boost::asio::ip::make_address(std::string(pieces.front()), error);
    if (error || pieces.size() > 2) {
      return failure("\"{}\" is not a network such as 10.0.0.0/8 or fd00::/8", escape(text));
    }
    const auto prefix = pieces.size() == 2 ? std::optional(pieces[1]) : std::nullopt;
    if (base.is_v4()) {
      auto network = network_of<boost::asio::ip::network_v4>(text, base.to_v4(), 32, prefix);
      if (!network) return tl::unexpected(network.error());
      filter.networks_v4_.push_back(*network);
      continue;
    }
    auto network = network_of<boost::asio::ip::network_v6>(text, base.to_v6(), 128, prefix);
    if (!network) return tl::unexpected(network.error());
    filter.networks_v6_.push_back(*network);
  }
  return filter;
}

bool AddressFilter::excepted(const address& address) const {
  if (address.is_v4()) {
    return std::any_of(networks_v4_.begin(), networks_v4_.end(), [&](const auto& network) {
      return lies_in(address.to_v4().to_bytes(), network.address().to_bytes(),
                     network.prefix_length());
    });
  }
  return std::any_of(networks_v6_.begin(), networks_v6_.end(), [&](const auto& network) {
    return lies_in(address.to_v6().to_bytes(), network.address().to_bytes(),
                   network.prefix_length());
  });
}

std::optional<std::string_view> AddressFilter::refusal(const address& address) const {
  if (excepted(address)) return std::nullopt;
  if (address.is_v4()) return refusal4(address.to_v4());
  const auto inner = embedded(address.to_v6());
  return inner ? refusal(boost::asio::ip::address(*inner)) : refusal6(address.to_v6());
}

}  // namespace sealane

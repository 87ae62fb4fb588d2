// SPDX-License-Identifier: Apache-2.0
// DNS messages as octets (RFC 1035 4): reads replies, writes queries.  getdns's dictionary of it is
// not used: it leaves out records that are cut off and fills up their data, and a missing TLSA
// record is a downgrade.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "adapters/dns/dns_message.h"

namespace sealane {

/// All sections are read to the last record; anything that does not fit makes the message
/// malformed. Pure; any octets are fine.
DnsMessage parse_message(std::string_view wire);

/// Largest UDP answer asked for, in octets: fits everywhere without fragments.
inline constexpr std::uint16_t kUdpPayload = 1232;

/// A query like those that getdns sends: recursion desired, and the AD bit without DNSSEC records
/// (RFC 6840 5.7).  `name` is absolute, with the root dot, and already checked.
std::string write_query(std::uint16_t id, std::string_view name, std::uint16_t type);

}  // namespace sealane

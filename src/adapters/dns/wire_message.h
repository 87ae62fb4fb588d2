// SPDX-License-Identifier: Apache-2.0
// Reads a DNS message from the wire (RFC 1035 4).  getdns's dictionary of it is not used: it leaves
// out records that are cut off and fills up their data, and a missing TLSA record is a downgrade.
#pragma once

#include <string_view>

#include "adapters/dns/dns_message.h"

namespace sealane {

/// All sections are read to the last record; anything that does not fit makes the message
/// malformed. Pure; any octets are fine.
DnsMessage parse_message(std::string_view wire);

}  // namespace sealane

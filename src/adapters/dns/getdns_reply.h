// SPDX-License-Identifier: Apache-2.0
// getdns's response dictionary as a DnsMessage.  Only for getdns_context.cc and tests.
#pragma once

#include <getdns/getdns.h>

#include "adapters/dns/dns_message.h"

namespace sealane {

/// Reads the first reply of a response; one without a reply comes out malformed with an rcode of
/// SERVFAIL.  `response` stays the caller's.
DnsMessage read_response(const getdns_dict* response);

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
// A report in the words that libtlsrpt sends to the collector: one JSON object, octet for octet the
// same.  The library itself is not in Debian 12.
#pragma once

#include <cstddef>
#include <string>

#include "policy/tlsrpt.h"

namespace sealane {

/// Largest datagram, in octets: collectors that read 64 KiB at a time get it whole.
inline constexpr std::size_t kMaxTlsrptDatagram = 65'000;

/// Always valid JSON, in UTF-8.  The library passes on octets that are no UTF-8, which makes its
/// datagram unreadable; here they become U+FFFD.  A policy that does not fit is left out: its lines
/// first, then its MX patterns.
std::string tlsrpt_datagram(const TlsrptReport& report);

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
// From the configuration to what each adapter takes, and what the machine allows.
#pragma once

#include <cstddef>

#include "adapters/dns/getdns_resolver.h"
#include "adapters/https/https_fetcher.h"
#include "base/result.h"
#include "server/config.h"

namespace sealane {

/// The name servers of the C library, and thus of Postfix.
inline constexpr const char* kResolvConf = "/etc/resolv.conf";

/// Descriptors the daemon must be allowed to open: one a connection, one a DNS question under way.
inline constexpr std::size_t kMinDescriptors = 8'192;
/// What it asks for, if it may.
inline constexpr std::size_t kWantedDescriptors = 65'536;

/// Raises the limit of open descriptors as far as it goes; fails below kMinDescriptors.
Result<void> raise_descriptors();

/// The address families to reach mail hosts in: as configured, or those with a way out.
Families families_of(const Config& config);

ResolverOptions resolver_options(const Config& config);
HttpsOptions https_options(const Config& config);

}  // namespace sealane

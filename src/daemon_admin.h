// SPDX-License-Identifier: Apache-2.0
// What the daemon puts between the admin API and the parts it tells of.
#pragma once

#include "adapters/dns/getdns_resolver.h"
#include "server/admin_parts.h"

namespace sealane {

/// For `GET /v1/status`.
ResolverReport report_of(const ResolverStatus& status);

}  // namespace sealane

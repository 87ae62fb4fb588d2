// SPDX-License-Identifier: Apache-2.0
// Asks for the TXT record by which a domain announces its MTA-STS policy (RFC 8461 3.1).
#pragma once

#include "base/task.h"
#include "lookup/resolver.h"
#include "policy/domain.h"

namespace sealane {

/// The TXT records of _mta-sts.<domain>; a name that is too long for DNS does not exist.  `fresh`:
/// past our own memory.  Lives on the lookup thread; `resolver` must outlive it.
Task<DnsReply> ask_sts_txt(Resolver& resolver, Domain domain, bool fresh = false);

}  // namespace sealane

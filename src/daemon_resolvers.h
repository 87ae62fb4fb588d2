// SPDX-License-Identifier: Apache-2.0
// Whether the resolvers are fit for their work, before the daemon takes it up.
#pragma once

#include <boost/asio/io_context.hpp>
#include <string>
#include <vector>

#include "adapters/dns/getdns_resolver.h"
#include "adapters/dns/name_servers.h"
#include "base/result.h"
#include "lookup/clock.h"

namespace sealane {

/// Waits until a resolver passes its self-test, kResolverStartPatience at most; `lookup` must not
/// run yet.  What is wrong with the others, for the operator.  Blocks.
Result<std::vector<std::string>> await_resolver(boost::asio::io_context& lookup,
                                                GetdnsResolver& resolver, const Clock& clock);

/// Postfix asks the name servers of resolv.conf when it does DANE itself.  Where they do not
/// validate, all mail to destinations that we answer "dane-only" for would be held.  Those among
/// `ours` have been tested.  What is wrong, for the operator; blocks, `lookup` must not run yet.
std::vector<std::string> test_resolv_conf(boost::asio::io_context& lookup,
                                          const std::vector<NameServer>& ours, const Clock& clock);

}  // namespace sealane

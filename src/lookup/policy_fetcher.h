// SPDX-License-Identifier: Apache-2.0
// Port: the HTTPS GET of a policy file (RFC 8461, section 3.3).
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "base/task.h"
#include "policy/domain.h"

namespace sealane {

enum class FetchProblem {
  dns,      ///< the policy host's addresses could not be found
  address,  ///< every address is private, loopback or link-local and not allowed
  connect,
  tls,     ///< handshake or certificate (sts-webpki-invalid); not if it was cut short
  status,  ///< any status but 200
  redirect,
  media_type,
  too_large,
  protocol,  ///< not HTTP, or cut short
  timeout,
  own,  ///< our side: no route, descriptors or room, the proxy: never the domain's failure
};
std::string_view name_of(FetchProblem problem);

struct FetchFailure {
  FetchProblem problem = FetchProblem::own;
  std::string
      text;  ///< names the cause: "certificate expired on 2026-01-31", "404", "redirect to …"
  std::vector<std::string> unreachable;  ///< addresses to which no connection came about
};

struct FetchedBody {
  std::string body;     ///< at most kMaxPolicyBody octets
  std::string address;  ///< where it came from
};

using Fetched = tl::expected<FetchedBody, FetchFailure>;

/// Lives on the lookup thread.  fetch() completes within 60 s (kFetchBudget) whatever the other
/// side does, and never throws for anything that comes from the network.
class PolicyFetcher {
 public:
  virtual ~PolicyFetcher() = default;
  /// Gets https://mta-sts.<domain>/.well-known/mta-sts.txt.  Waiting for a free slot counts not
  /// towards the 60 s.  `fresh`: the host's addresses are looked up anew.
  virtual Task<Fetched> fetch(Domain policy_domain, bool fresh = false) = 0;
};

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
#include "policy/dane.h"

#include <algorithm>

namespace sealane {
namespace {

bool is_only_host(MxStatus mx) { return mx == MxStatus::implicit || mx == MxStatus::host; }

/// The destination is its own and only host, and where it is could not be found out.
bool destination_unknown(const DaneFinding& finding) {
  return is_only_host(finding.mx) &&
         std::any_of(finding.hosts.begin(), finding.hosts.end(), [](const HostFinding& host) {
           return host.state == HostState::err && host.address_failed;
         });
}

struct Count {
  std::size_t live = 0;
  std::size_t dane = 0;
  std::size_t enc = 0;
  std::size_t err = 0;
};

Count count(const std::vector<HostFinding>& hosts) {
  Count n;
  for (const HostFinding& host : hosts) {
    n.live += is_live(host) ? 1 : 0;
    n.dane += host.state == HostState::dane ? 1 : 0;
    n.enc += host.state == HostState::enc ? 1 : 0;
    n.err += host.state == HostState::err ? 1 : 0;
  }
  return n;
}

DaneClass over_secure_hosts(const Count& n) {
  if (n.err > 0) return DaneClass::err;
  if (n.dane == 0) return n.enc > 0 ? DaneClass::enc : DaneClass::d0;
  return n.dane == n.live ? DaneClass::all : DaneClass::mix;
}

}  // namespace

DaneClass classify(const DaneFinding& finding) {
  switch (finding.mx) {
    case MxStatus::error:
      return DaneClass::fail;
    case MxStatus::null:
      return DaneClass::null;
    case MxStatus::nxdomain:
    case MxStatus::nodata_no_address:
      return DaneClass::nx;
    case MxStatus::ok:
    case MxStatus::implicit:
    case MxStatus::host:
      break;
  }
  if (finding.too_many_hosts || finding.hosts.empty()) return DaneClass::fail;
  if (destination_unknown(finding)) return DaneClass::fail;
  const Count n = count(finding.hosts);
  if (is_mx_secure(finding)) return over_secure_hosts(n);
  // A failing host behind an unproven MX is merely unreachable: its name proves nothing either.
  return n.dane + n.enc > 0 ? DaneClass::ins : DaneClass::d0;
}

}  // namespace sealane

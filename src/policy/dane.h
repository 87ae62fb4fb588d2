// SPDX-License-Identifier: Apache-2.0
// What DNSSEC says about a destination and its mail hosts (RFC 7672), as plain values.
// Gathering is lookup/dane_lookup.h; judging a single TLSA record is policy/tlsa.h.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/domain.h"
#include "policy/tlsa.h"

namespace sealane {

/// Most MX hosts that are judged.  Nothing is ever decided on a part of a larger set.
inline constexpr std::size_t kMaxMxHosts = 50;

enum class HostState {
  dane,  ///< host secure, TLSA RRset secure, at least one usable record
  enc,   ///< host secure, TLSA RRset secure and not empty, no usable record
  none,  ///< proven absence of TLSA, or host insecure, or TLSA insecure
  err,   ///< an error on the way: "could not find out"
  dead,  ///< the address lookups succeeded and there is no address: the host is ignored
};
std::string_view name_of(HostState state);

/// One MX host and how its state came about.
struct HostFinding {
  std::string name;              ///< as in the MX record; canonical when `domain` is set
  std::optional<Domain> domain;  ///< absent for an address literal or an impossible name
  std::uint16_t preference = 0;
  HostState state = HostState::none;
  bool address_failed = false;  ///< with err: the address lookup failed, not the TLSA lookup
  /// With address_failed: it has failed at least 3 times over at least 15 min (bound of row 7).
  bool address_bound_reached = false;
  bool secure = false;  ///< the addresses, or the alias, are secure
  std::vector<std::string> addresses;
  std::vector<std::string> aliases;  ///< the CNAME chain behind the name
  std::optional<Domain> tlsa_base;   ///< where the TLSA records were found or last looked for
  std::vector<JudgedTlsa> records;
  std::string reason;           ///< one sentence for a human: why this state
  std::chrono::seconds ttl{0};  ///< how long this may live
};

enum class MxStatus {
  ok,
  implicit,           ///< no MX: the domain itself (RFC 5321 5.1)
  host,               ///< a `[host]` key: nothing to look up
  null,               ///< "." is the only target (RFC 7505)
  nodata_no_address,  ///< no MX and no address
  nxdomain,
  error,  ///< the lookup failed, or no target is a usable name
};
std::string_view name_of(MxStatus status);

struct DaneFinding {
  MxStatus mx = MxStatus::error;
  bool mx_secure = false;          ///< AD on the MX RRset, on its denial, or a `[host]` key
  bool too_many_hosts = false;     ///< more than kMaxMxHosts; `hosts` is empty then
  bool own_fault = false;          ///< our resolver or network failed, not the domain's DNS
  std::vector<HostFinding> hosts;  ///< by preference; equal names merged
  std::string reason;              ///< one sentence: what the MX step found
  std::chrono::seconds mx_ttl{0};  ///< of the MX step alone
  std::chrono::seconds ttl{0};     ///< minimum of all that went in
};

enum class DaneClass { d0, all, mix, enc, err, ins, fail, null, nx };
/// "D0", "D-ALL", …
std::string_view name_of(DaneClass value);

/// Whether a host counts at all.
inline bool is_live(const HostFinding& host) { return host.state != HostState::dead; }

/// Whether the MX step is proven by DNSSEC; a `[host]` key has nothing to prove.
inline bool is_mx_secure(const DaneFinding& finding) {
  return finding.mx_secure || finding.mx == MxStatus::host;
}

/// The class over the live hosts (all but DEAD).  More than kMaxMxHosts hosts, or an MX RRset
/// without any host, is D-FAIL: nothing was judged.  `own_fault` is not looked at.  Pure.
DaneClass classify(const DaneFinding& finding);

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
// Gathers what DNSSEC says about a destination: MX, addresses, aliases, TLSA (RFC 7672, section 2).
// Judging is policy/dane.h and policy/tlsa.h; this file only asks, in the right order.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "base/task.h"
#include "lookup/clock.h"
#include "lookup/error_streak.h"
#include "lookup/resolver.h"
#include "policy/dane.h"
#include "policy/next_hop.h"

namespace sealane {

/// Lives on the lookup thread.  The resolver has the cache and joins questions; kept here is only
/// since when a host's addresses cannot be looked up.
class DaneLookup {
 public:
  DaneLookup(Resolver& resolver, Families families, const Clock& clock)
      : resolver_(resolver), families_(families), clock_(clock) {}

  /// The MX step.  The hosts are named and ordered, but not judged yet (state `none`).
  Task<DaneFinding> find_mx(NextHop next_hop);

  /// Judges all hosts of a finding of find_mx(), side by side.
  Task<DaneFinding> judge_hosts(NextHop next_hop, DaneFinding finding);

 private:
  struct Addresses;
  Task<> judge_into(HostFinding& host, NextHop next_hop, bool& own_fault);
  Task<HostFinding> judge(HostFinding host, NextHop next_hop, bool& own_fault);
  Task<Addresses> ask_addresses(Domain name, std::string for_key);
  Task<HostFinding> find_tlsa(HostFinding host, std::vector<Domain> bases, NextHop next_hop,
                              bool& own_fault);
  Task<> ask_into(DnsReply& reply, DnsQuestion question);

  void note_address_failure(HostFinding& host, bool own_fault);

  Resolver& resolver_;
  Families families_;
  const Clock& clock_;
  std::unordered_map<std::string, ErrorStreak> address_errors_;  ///< by host name, bounded
};

}  // namespace sealane

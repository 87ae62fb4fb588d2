// SPDX-License-Identifier: Apache-2.0
// Gathers what DNSSEC says about a destination: MX, addresses, aliases, TLSA (RFC 7672, section 2).
// Judging is policy/dane.h and policy/tlsa.h; this file only asks, in the right order.
#pragma once

#include "base/task.h"
#include "lookup/resolver.h"
#include "policy/dane.h"
#include "policy/next_hop.h"

namespace sealane {

/// The address families in which mail hosts are reached (resolver.families).
enum class Families { any, ipv4, ipv6 };

/// Lives on the lookup thread.  Keeps nothing: the resolver has the cache and joins questions.
class DaneLookup {
 public:
  DaneLookup(Resolver& resolver, Families families) : resolver_(resolver), families_(families) {}

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

  Resolver& resolver_;
  Families families_;
};

}  // namespace sealane

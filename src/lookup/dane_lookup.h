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

  /// Hosts that were judged with other families are not judged again.
  Families families() const { return families_; }
  void set_families(Families families) { families_ = families; }

  /// The MX step.  The hosts are named and ordered, but not judged yet (state `none`).
  /// `fresh`: look again, whatever the resolver remembers.
  Task<DaneFinding> find_mx(NextHop next_hop, bool fresh = false);

  /// Judges all hosts of a finding of find_mx(), side by side.  What is looked at again for people
  /// counts in no streak of failures.
  Task<DaneFinding> judge_hosts(NextHop next_hop, DaneFinding finding, bool fresh = false);

 private:
  struct Addresses;
  struct Errand;
  Task<> judge_into(HostFinding& host, Errand& errand);
  Task<HostFinding> judge(HostFinding host, Errand& errand);
  Task<Addresses> ask_addresses(Domain name, const Errand& errand);
  Task<HostFinding> find_tlsa(HostFinding host, std::vector<Domain> bases, Errand& errand);
  Task<> ask_into(DnsReply& reply, DnsQuestion question);

  void note_address_failure(HostFinding& host, const DnsReply& reply, bool fresh);

  Resolver& resolver_;
  Families families_;
  const Clock& clock_;
  std::unordered_map<std::string, ErrorStreak> address_errors_;  ///< by host name, bounded
};

}  // namespace sealane

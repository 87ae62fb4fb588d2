// SPDX-License-Identifier: Apache-2.0
#include "lookup/dane_lookup.h"

#include <algorithm>
#include <map>

#include "base/text.h"
#include "lookup/waiting.h"

namespace sealane {
namespace {

/// Hosts whose address errors are counted; beyond it the memory starts anew.
constexpr std::size_t kMaxFailingHosts = 10'000;

void shorten(std::chrono::seconds& ttl, std::chrono::seconds other) { ttl = std::min(ttl, other); }

/// Names what failed so that a postmaster can repeat it: "MX lookup for a.test failed (SERVFAIL)".
std::string failed_text(RrType type, std::string_view name, const DnsReply& reply) {
  return fmt::format("{} lookup for {} failed ({})", name_of(type), name, escape(reply.why));
}

/// The targets of an MX RRset by preference, equal names merged with their best preference.
std::vector<HostFinding> hosts_of(const std::vector<MxRecord>& records) {
  std::map<std::string, std::uint16_t> best;
  for (const MxRecord& record : records) {
    const auto [entry, fresh] = best.emplace(lower_ascii(record.target), record.preference);
    if (!fresh) entry->second = std::min(entry->second, record.preference);
  }
  best.erase(".");  // beside others the root is no null MX, only useless (RFC 7505 3)
  std::vector<HostFinding> hosts;
  for (const auto& [target, preference] : best) {
    const auto name = Domain::parse(target);
    const bool literal = is_ip_address(target);
    if (!name && !literal) continue;  // no MTA can use it either
    HostFinding host;
    host.name = literal ? target : name->text();
    if (!literal) host.domain = *name;
    host.preference = preference;
    if (literal) host.reason = "the MX target is an address, not a name";
    hosts.push_back(std::move(host));
  }
  std::stable_sort(hosts.begin(), hosts.end(),
                   [](const auto& a, const auto& b) { return a.preference < b.preference; });
  return hosts;
}

HostFinding only_host(const Domain& name) {
  HostFinding host;
  host.name = name.text();
  host.domain = name;
  return host;
}

void read_mx(DaneFinding& finding, const NextHop& next_hop, const DnsReply& reply) {
  const std::string& name = next_hop.domain.text();
  const bool only_root = std::all_of(reply.mx.begin(), reply.mx.end(),
                                     [](const MxRecord& record) { return record.target == "."; });
  if (reply.mx.empty()) {
    finding.mx = MxStatus::error;
    finding.reason = fmt::format("the MX answer for {} holds no MX record", name);
    return;
  }
  if (only_root) {
    finding.mx = MxStatus::null;
    finding.reason = fmt::format("{} accepts no mail (null MX)", name);
    return;
  }
  finding.hosts = hosts_of(reply.mx);
  finding.mx = MxStatus::ok;
  finding.reason =
      fmt::format("{} MX host{}, {}", finding.hosts.size(), finding.hosts.size() == 1 ? "" : "s",
                  finding.mx_secure ? "DNSSEC-signed" : "not signed");
  if (finding.hosts.empty()) {
    finding.mx = MxStatus::error;
    finding.reason = fmt::format("no MX record of {} names a usable host", name);
  }
  if (finding.hosts.size() > kMaxMxHosts) {
    finding.too_many_hosts = true;
    finding.reason =
        fmt::format("{} has {} MX hosts, more than {}", name, finding.hosts.size(), kMaxMxHosts);
    finding.hosts.clear();
  }
}

}  // namespace

/// Both families of one name; a family that is not asked counts as negative.
struct DaneLookup::Addresses {
  std::vector<DnsReply> replies;

  const DnsReply* first(auto&& wanted) const {
    const auto found = std::find_if(replies.begin(), replies.end(), wanted);
    return found == replies.end() ? nullptr : &*found;
  }
  const DnsReply* with_addresses(bool secure) const {
    return first([secure](const DnsReply& reply) {
      return reply.status == DnsStatus::ok && !reply.addresses.empty() && reply.secure == secure;
    });
  }
  /// The failed one; of two, the one that failed because of us.
  const DnsReply* failed() const {
    const DnsReply* own = first([](const DnsReply& reply) { return reply.own_fault; });
    return own ? own : first([](const DnsReply& reply) { return reply.failed(); });
  }
};

/// What all questions about one next-hop have in common.
struct DaneLookup::Errand {
  NextHop next_hop;
  bool fresh = false;
  bool own_fault = false;  ///< a lookup failed because of us

  DnsQuestion question(const Domain& name, RrType type) const {
    return {name, type, next_hop.text(), fresh};
  }
};

Task<DaneFinding> DaneLookup::find_mx(NextHop next_hop, bool fresh) {
  DaneFinding finding;
  finding.ttl = std::chrono::hours{1};
  if (!next_hop.mx_lookup) {
    finding.mx = MxStatus::host;
    finding.mx_secure = true;
    finding.reason = "a host was named: no MX lookup";
    finding.hosts.push_back(only_host(next_hop.domain));
    co_return finding;
  }
  const Errand errand{next_hop, fresh};
  DnsQuestion question = errand.question(next_hop.domain, RrType::mx);
  const DnsReply reply = co_await resolver_.ask(std::move(question));
  finding.ttl = reply.ttl;
  finding.mx_ttl = reply.ttl;
  finding.mx_secure = reply.secure && !reply.failed();
  switch (reply.status) {
    case DnsStatus::failed:
      finding.own_fault = reply.own_fault;
      finding.reason = failed_text(RrType::mx, next_hop.domain.text(), reply);
      co_return finding;
    case DnsStatus::nxdomain:
      finding.mx = MxStatus::nxdomain;
      finding.reason = fmt::format("{} does not exist", next_hop.domain.text());
      co_return finding;
    case DnsStatus::nodata:
      finding.mx = MxStatus::implicit;
      finding.reason = "no MX record: the domain itself is the host";
      finding.hosts.push_back(only_host(next_hop.domain));
      co_return finding;
    case DnsStatus::ok:
      read_mx(finding, next_hop, reply);
      co_return finding;
  }
  co_return finding;
}

Task<DaneFinding> DaneLookup::judge_hosts(NextHop next_hop, DaneFinding finding, bool fresh) {
  Errand errand{next_hop, fresh};
  std::vector<Task<>> judgements;
  for (HostFinding& host : finding.hosts) {
    if (host.domain) judgements.push_back(judge_into(host, errand));
  }
  co_await run_all(std::move(judgements));
  finding.own_fault = finding.own_fault || errand.own_fault;
  for (const HostFinding& host : finding.hosts) {
    if (host.domain) shorten(finding.ttl, host.ttl);
  }
  const bool no_address =
      finding.mx == MxStatus::implicit && finding.hosts.front().state == HostState::dead;
  if (no_address) {
    finding.mx = MxStatus::nodata_no_address;
    finding.reason = fmt::format("{} has neither MX nor address", next_hop.domain.text());
  }
  co_return finding;
}

void DaneLookup::note_address_failure(HostFinding& host, const DnsReply& reply, bool fresh) {
  host.state = HostState::err;
  host.address_failed = true;
  host.reason = fmt::format("address lookup for {} failed ({})", host.name, escape(reply.why));
  if (reply.own_fault) return;  // that we were down says nothing about the host
  if (address_errors_.size() >= kMaxFailingHosts) address_errors_.clear();
  const auto known = address_errors_.find(host.name);
  if (fresh && known == address_errors_.end()) return;
  ErrorStreak& streak = fresh ? known->second : address_errors_[host.name];
  if (!fresh) streak.note(clock_, {});
  host.address_bound_reached = streak.beyond_bound();
}

Task<> DaneLookup::judge_into(HostFinding& host, Errand& errand) {
  HostFinding unjudged = host;
  host = co_await judge(std::move(unjudged), errand);
  if (!host.address_failed) address_errors_.erase(host.name);
}

Task<> DaneLookup::ask_into(DnsReply& reply, DnsQuestion question) {
  reply = co_await resolver_.ask(std::move(question));
}

Task<DaneLookup::Addresses> DaneLookup::ask_addresses(Domain name, const Errand& errand) {
  std::vector<RrType> types;
  if (families_ != Families::ipv6) types.push_back(RrType::a);
  if (families_ != Families::ipv4) types.push_back(RrType::aaaa);
  Addresses addresses;
  addresses.replies.resize(types.size());
  std::vector<Task<>> lookups;
  for (std::size_t i = 0; i < types.size(); ++i) {
    lookups.push_back(ask_into(addresses.replies[i], errand.question(name, types[i])));
  }
  co_await run_all(std::move(lookups));
  co_return addresses;
}

// The order of the steps is the rule: it decides what an attacker gains by making one lookup fail.
Task<HostFinding> DaneLookup::judge(HostFinding host, Errand& errand) {
  const Domain name = *host.domain;
  const Addresses addresses = co_await ask_addresses(name, errand);
  host.ttl = std::chrono::hours{1};
  for (const DnsReply& reply : addresses.replies) {
    shorten(host.ttl, reply.ttl);
    for (const auto& address : reply.addresses) host.addresses.push_back(address.to_string());
  }
  if (const DnsReply* reply = addresses.with_addresses(true)) {
    host.secure = true;
    host.aliases = reply->aliases;
    std::vector<Domain> bases;
    if (!reply->aliases.empty()) {
      const auto expanded = Domain::parse(reply->aliases.back());
      if (!expanded) {
        host.state = HostState::err;
        host.reason = fmt::format("{} is an alias of an impossible name", name.text());
        co_return host;
      }
      bases.push_back(*expanded);
    }
    if (bases.empty() || bases.back() != name) bases.push_back(name);
    co_return co_await find_tlsa(std::move(host), std::move(bases), errand);
  }
  const DnsReply* insecure = addresses.with_addresses(false);
  if (insecure != nullptr && !insecure->aliases.empty()) {
    host.aliases = insecure->aliases;
    DnsQuestion question = errand.question(name, RrType::cname);
    const DnsReply alias = co_await resolver_.ask(std::move(question));
    shorten(host.ttl, alias.ttl);
    if (alias.failed()) {
      // The addresses are known, so an MTA can get there: this is no unreachable host.
      errand.own_fault = errand.own_fault || alias.own_fault;
      host.state = HostState::err;
      host.reason = failed_text(RrType::cname, name.text(), alias);
      co_return host;
    }
    if (alias.secure && alias.status == DnsStatus::ok) {
      host.secure = true;
      std::vector<Domain> bases{name};
      co_return co_await find_tlsa(std::move(host), std::move(bases), errand);
    }
  }
  if (insecure != nullptr) {
    host.state = HostState::none;
    host.reason = "the addresses are not DNSSEC-signed";
    co_return host;
  }
  if (const DnsReply* reply = addresses.failed()) {
    errand.own_fault = errand.own_fault || reply->own_fault;
    note_address_failure(host, *reply, errand.fresh);
    co_return host;
  }
  host.state = HostState::dead;
  host.reason = fmt::format("{} has no address", name.text());
  co_return host;
}

Task<HostFinding> DaneLookup::find_tlsa(HostFinding host, std::vector<Domain> bases,
                                        Errand& errand) {
  const std::string prefix = fmt::format("_{}._tcp", errand.next_hop.port);
  host.state = HostState::none;
  host.reason = "no TLSA record";
  for (const Domain& base : bases) {
    const auto owner = base.below(prefix);
    if (!owner) continue;  // too long to exist
    host.tlsa_base = base;
    DnsQuestion question = errand.question(*owner, RrType::tlsa);
    const DnsReply reply = co_await resolver_.ask(std::move(question));
    shorten(host.ttl, reply.ttl);
    if (reply.failed()) {
      errand.own_fault = errand.own_fault || reply.own_fault;
      host.state = HostState::err;
      host.reason = failed_text(RrType::tlsa, owner->text(), reply);
      co_return host;
    }
    if (reply.status != DnsStatus::ok || reply.tlsa.empty()) continue;
    if (!reply.secure) {
      host.reason = fmt::format("the TLSA records at {} are not DNSSEC-signed", owner->text());
      continue;
    }
    host.records = judge_tlsa(reply.tlsa);
    const auto usable = static_cast<std::size_t>(
        std::count_if(host.records.begin(), host.records.end(),
                      [](const JudgedTlsa& record) { return record.usable; }));
    host.state = usable > 0 ? HostState::dane : HostState::enc;
    host.reason = fmt::format("{} of {} TLSA records at {} usable", usable, host.records.size(),
                              owner->text());
    co_return host;
  }
  co_return host;
}

}  // namespace sealane

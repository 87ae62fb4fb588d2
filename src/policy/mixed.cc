// SPDX-License-Identifier: Apache-2.0
// MIXED: some hosts have DANE, or failed, and the MTA-STS policy says enforce (docs/decision.md 5).
// One reply covers all hosts: "dane" would leave those without TLSA open, and MTA-STS would be let
// override DANE at those with it (RFC 8461 2).
#include <algorithm>

#include "policy/situation.h"

namespace sealane {
namespace {

/// The hosts that play: those with DANE, and N, the hosts without DANE that the policy allows.
/// A tier without any holds only failing or refused hosts and is dropped.
struct Field {
  std::vector<const HostFinding*> dane;
  std::vector<const HostFinding*> by_policy;  ///< N
};

/// `allows` says which hosts without DANE the policy allows.
template <class Allows>
Field field_of(const Situation& s, const Allows& allows) {
  Field field;
  for (const HostFinding* host : s.live) {
    if (host->state == HostState::dane) field.dane.push_back(host);
    const bool has_no_dane = host->state == HostState::none || host->state == HostState::enc;
    if (has_no_dane && allows(*host)) field.by_policy.push_back(host);
  }
  return field;
}

Field field_of(const Situation& s) {
  return field_of(s, [&s](const HostFinding& host) { return s.allows(host); });
}

/// The best preference among the hosts; above every real one when there are none.
int best(const std::vector<const HostFinding*>& hosts) {
  int preference = 65536;
  for (const HostFinding* host : hosts) preference = std::min<int>(preference, host->preference);
  return preference;
}

std::vector<Domain> names(const std::vector<const HostFinding*>& hosts) {
  std::vector<Domain> found;
  for (const HostFinding* host : hosts) {
    if (host->domain) found.push_back(*host->domain);
  }
  return found;
}

Decision by_policy_alone(const Field& field, std::string_view row, std::string text) {
  Decision decision = answer(Action::sts, row, "MTA-STS enforce");
  decision.restricted = true;
  decision.hosts = names(field.by_policy);
  note(decision, "MIXED", std::move(text));
  return decision;
}

Decision dane_alone(std::string_view row, std::string text) {
  Decision decision = answer(Action::dane_only, row, "MTA-STS enforce");
  note(decision, "MIXED", std::move(text));
  return decision;
}

/// Exim does DANE host by host and refuses hosts by a list of its own: nothing has to be chosen,
/// the hosts that have DANE, or may have it, are exempt from the list.
Decision for_exim(const Situation& s, std::string_view row) {
  Decision decision = answer(Action::sts, row, "MTA-STS enforce beside DANE, host by host");
  for (const HostFinding* host : s.live) {
    const bool is_exempt = host->state == HostState::dane || host->state == HostState::err;
    if (is_exempt && host->domain) decision.dane_hosts.push_back(*host->domain);
  }
  return decision;
}

Decision nobody_left(const Situation& s, std::string_view row) {
  std::string text = s.any(HostState::err) ? host_errors(s) : "no MX host is in the MTA-STS policy";
  if (s.any(HostState::err) && s.any_without_dane()) {
    text += "; the MTA-STS policy refuses the other MX hosts";
  }
  Decision decision = answer(Action::temporary, row, "MTA-STS enforce");
  decision.reason = text;
  note(decision, "MIXED", std::move(text));
  return decision;
}

}  // namespace

bool may_be_by_policy(const Situation& s) {
  const Field field = field_of(s, [](const HostFinding& host) { return host.domain.has_value(); });
  return best(field.by_policy) < best(field.dane);
}

std::vector<Domain> hosts_by_policy(const Situation& s) {
  const Field field = field_of(s);
  if (best(field.by_policy) >= best(field.dane)) return {};
  return names(field.by_policy);
}

Decision mixed(const Situation& s, std::string_view row) {
  if (s.input.dialect == Dialect::exim) return for_exim(s, row);
  const Field field = field_of(s);
  if (field.dane.empty() && field.by_policy.empty()) return nobody_left(s, row);
  if (best(field.dane) <= best(field.by_policy)) {
    return dane_alone(row, "a best MX host in play has DANE: only hosts with DANE");
  }
  if (s.filter()) return by_policy_alone(field, row, "the best MX hosts in play are the policy's");
  if (!field.dane.empty()) {
    Decision decision = dane_alone(row, "a worse MX host with DANE outranks a better one without");
    decision.notices.push_back(Notice::preference_inverted);
    return decision;
  }
  Decision decision = by_policy_alone(field, row, "by certificate name alone: no MX host has DANE");
  decision.notices.push_back(Notice::sts_match_restricted);
  return decision;
}

}  // namespace sealane

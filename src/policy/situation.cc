// SPDX-License-Identifier: Apache-2.0
#include "policy/situation.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace sealane {
namespace {

/// With dane=off every host counts as NONE; where the hosts are still has to be known.
DaneClass dane_class(const DecisionInput& input) {
  const DaneFinding& found = input.dane;
  const DaneClass value = classify(found);
  if (input.override_.dane != DaneOverride::off) return value;
  const bool has_hosts = !found.hosts.empty() || found.too_many_hosts;
  const bool has_mx =
      found.mx == MxStatus::ok || found.mx == MxStatus::implicit || found.mx == MxStatus::host;
  return has_mx && has_hosts ? DaneClass::d0 : value;
}

void set_sts(Situation& s, StsClass value, std::string reason, bool asked) {
  s.sts = value;
  s.sts_reason = std::move(reason);
  s.sts_asked = asked;
}

void judge_sts(Situation& s) {
  const NextHop& hop = s.input.next_hop;
  const StsFinding& found = s.input.sts;
  if (!hop.has_sts()) {
    return set_sts(s, StsClass::none, fmt::format("port {} has no MTA-STS", hop.port), false);
  }
  if (s.input.override_.sts_off) return set_sts(s, StsClass::none, "override sts=off", false);
  set_sts(s, found.value, found.reason, true);
  const bool needs_names = s.enforce() && (!found.policy || found.policy->mx.empty());
  if (needs_names) {
    return set_sts(s, StsClass::own_fault, "internal error: an enforce policy without names", true);
  }
  const bool is_used = s.enforce() || s.sts == StsClass::testing;
  if (is_used && found.policy) s.policy = &*found.policy;
}

}  // namespace

bool Situation::open() const {
  return sts == StsClass::txt_error || sts == StsClass::pending || sts == StsClass::own_fault;
}

bool Situation::allows(const HostFinding& host) const {
  return policy != nullptr && host.domain && policy->allows(*host.domain);
}

bool Situation::any(HostState state) const {
  return std::any_of(live.begin(), live.end(),
                     [state](const HostFinding* host) { return host->state == state; });
}

bool Situation::every(HostState state) const {
  return std::all_of(live.begin(), live.end(),
                     [state](const HostFinding* host) { return host->state == state; });
}

Situation situation_of(const DecisionInput& input) {
  Situation s{.input = input, .live = {}, .sts_reason = {}};
  for (const HostFinding& host : input.dane.hosts) {
    if (is_live(host)) s.live.push_back(&host);
  }
  s.dane = dane_class(input);
  judge_sts(s);
  return s;
}

std::string shown(const HostFinding& host) {
  return host.domain ? host.domain->text() : escape(host.name);
}

std::string host_errors(const Situation& situation) {
  std::string text;
  std::size_t others = 0;
  for (const HostFinding* host : situation.live) {
    if (host->state != HostState::err) continue;
    if (!text.empty()) {
      ++others;
      continue;
    }
    text = host->reason.empty() ? fmt::format("DNS lookups for {} failed", shown(*host))
                                : host->reason;
  }
  if (others > 0) text += fmt::format(", and {} more MX host{}", others, others > 1 ? "s" : "");
  return text;
}

Decision answer(Action action, std::string_view row, std::string text) {
  Decision decision;
  decision.action = action;
  step(decision, row, std::move(text));
  return decision;
}

Decision later(std::string_view row, std::string reason) {
  Decision decision = answer(Action::temporary, row, reason);
  decision.reason = std::move(reason);
  return decision;
}

void step(Decision& decision, std::string_view row, std::string text) {
  decision.row = row;
  note(decision, row, std::move(text));
}

void note(Decision& decision, std::string_view label, std::string text) {
  decision.trail.push_back({std::string(label), std::move(text)});
}

}  // namespace sealane

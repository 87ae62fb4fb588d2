// SPDX-License-Identifier: Apache-2.0
// What each asker can express of the table's answer (docs/decision.md, "Dialects").  The words of
// the reply are the front ends' work.
#include <fmt/format.h>

#include <algorithm>

#include "policy/situation.h"

namespace sealane {
namespace {

constexpr std::string_view kPinsLabel = "postfix-pins";

// ---- Postfix without a validating resolver: keys instead of DANE ----------------------------

/// Row 9 as a list of keys; temporary when one usable record of one host has no such form, since
/// every key is accepted at every host and none may be missing.
Decision pinned(const Situation& s) {
  std::vector<std::string> pins;
  for (const HostFinding* host : s.live) {
    for (const JudgedTlsa& judged : host->records) {
      if (!judged.usable) continue;
      const auto pin = sha256_fingerprint(judged.record);
      if (!pin) {
        return later("9", fmt::format("a TLSA record of {} is no SHA-256 fingerprint: {}",
                                      shown(*host), pin.error()));
      }
      pins.push_back(*pin);
    }
  }
  std::sort(pins.begin(), pins.end());
  pins.erase(std::unique(pins.begin(), pins.end()), pins.end());
  if (pins.empty()) return later("9", "internal error: DANE without a usable TLSA record");
  Decision decision = answer(Action::pins, "9", "the keys of all MX hosts, as fingerprints");
  decision.fingerprints = std::move(pins);
  return decision;
}

/// D-MIX and D-ERR: DANE host by host cannot be said; MTA-STS may be where no best host has DANE.
Decision pins_beside_others(const Situation& s) {
  const bool is_waiting = s.open() && may_be_by_policy(s);
  if (is_waiting || s.every(HostState::err)) return by_table(s);
  Situation settled = s;
  if (s.open()) settled.sts = StsClass::none;
  const Decision table = by_table(settled);
  std::vector<Domain> hosts = s.enforce() ? hosts_by_policy(s) : std::vector<Domain>{};
  if (hosts.empty()) {
    const bool is_error = s.any(HostState::err);
    Decision decision =
        later(table.row, is_error ? host_errors(s) : "only some MX hosts have DANE");
    note(decision, kPinsLabel, "a part of the MX hosts cannot be expressed as fingerprints");
    return decision;
  }
  Decision decision = answer(Action::sts, table.row, "MTA-STS enforce");
  note(decision, kPinsLabel, "the best MX hosts in play are the policy's");
  decision.restricted = true;
  decision.hosts = std::move(hosts);
  return decision;
}

/// "encrypt" is what Postfix makes of D-ENC by itself; a default that is as strict stays.
Decision pins_unusable(const Situation& s) {
  Decision decision = by_table(s);
  if (decision.action != Action::dane) return decision;
  decision = with_default_level(std::move(decision), s);
  if (decision.action == Action::dane) decision.action = Action::encrypt;
  return decision;
}

Decision for_pins(const Situation& s) {
  switch (s.dane) {
    case DaneClass::all:
      return pinned(s);
    case DaneClass::mix:
    case DaneClass::err:
      return pins_beside_others(s);
    case DaneClass::enc:
      return pins_unusable(s);
    case DaneClass::ins: {
      Decision decision = by_table(s);
      if (decision.action == Action::dane) decision.action = Action::not_found;
      return decision;
    }
    case DaneClass::d0:
    case DaneClass::fail:
    case DaneClass::null:
    case DaneClass::nx:
      return by_table(s);
  }
  return by_table(s);
}

// ---- the others -----------------------------------------------------------------------------

/// Whether to enforce at all: what is enforced is asked in another map.
Decision for_requiretls(const Situation& s) {
  Decision decision = by_table(s);
  if (decision.action == Action::temporary) return decision;
  const bool enforces = s.enforce() || s.dane == DaneClass::all || s.dane == DaneClass::mix ||
                        s.dane == DaneClass::err;
  if (!enforces) decision.action = Action::not_found;
  return decision;
}

/// Sendmail does DANE itself and asks for MTA-STS alone.
Decision for_sendmail(const Situation& s) {
  Decision decision = by_table(s);
  if (s.enforce()) return by_policy(s, decision.row, "MTA-STS enforce; DANE is Sendmail's own");
  if (decision.action == Action::temporary) return decision;
  // What DANE settles is not what is asked here: row 31 comes before rows 1-23.
  if (s.sts == StsClass::own_fault) return wait_for_sts(s, "31");
  decision.action = Action::not_found;
  return decision;
}

/// Exim does DANE itself, host by host, under the level it is given.
Decision for_exim(const Situation& s) {
  Decision decision = by_table(s);
  decision.dane_possible = s.dane != DaneClass::enc;
  if (decision.action != Action::dane) return decision;
  decision.action = s.dane == DaneClass::enc ? Action::encrypt : Action::may;
  decision.dane_natively = decision.dane_possible;
  return decision;
}

Decision table_for(const Situation& s) {
  switch (s.input.dialect) {
    case Dialect::postfix:
    case Dialect::postfix_tlsrpt:
      return with_default_level(by_table(s), s);
    case Dialect::postfix_pins:
      return for_pins(s);
    case Dialect::requiretls:
      return for_requiretls(s);
    case Dialect::sendmail_sts:
      return for_sendmail(s);
    case Dialect::exim:
      return for_exim(s);
  }
  return later("31", "internal error: unknown dialect");
}

// ---- overrides ------------------------------------------------------------------------------

Decision not_all_dane(const Situation& s) {
  std::string reason = s.any(HostState::err)
                           ? host_errors(s)
                           : std::string("override dane=only, and not every MX host has DANE");
  return later("32", std::move(reason));
}

/// Exim has no level that refuses a host without TLSA: only a list of hosts does.
Decision exim_only_dane(const Situation& s) {
  const bool is_proven = s.dane == DaneClass::mix || s.dane == DaneClass::err;
  if (!is_proven || !s.any(HostState::dane)) return not_all_dane(s);
  Decision decision = answer(Action::sts, "32", "override dane=only: all other hosts are refused");
  decision.restricted = true;
  for (const HostFinding* host : s.live) {
    if (host->state == HostState::dane && host->domain) {
      decision.dane_hosts.push_back(*host->domain);
    }
  }
  return decision;
}

/// dane=only: DANE or nothing, whatever was found.  Who cannot be told so waits unless it is true
/// of every host anyhow.
Decision only_dane(const Situation& s) {
  switch (s.input.dialect) {
    case Dialect::postfix:
    case Dialect::postfix_tlsrpt:
    case Dialect::requiretls:
      return answer(Action::dane_only, "32", "override dane=only");
    case Dialect::postfix_pins:
    case Dialect::sendmail_sts:
      return s.dane == DaneClass::all ? table_for(s) : not_all_dane(s);
    case Dialect::exim:
      return s.dane == DaneClass::all ? table_for(s) : exim_only_dane(s);
  }
  return later("31", "internal error: unknown dialect");
}

/// dane=off: "not found" would let a default level "dane" do DANE after all.
Decision without_dane(const Situation& s) {
  Decision decision = table_for(s);
  decision.dane_possible = false;
  if (decision.action != Action::not_found) return decision;
  decision.action = Action::may;
  note(decision, "32", "override dane=off: \"not found\" is said as \"may\"");
  return decision;
}

}  // namespace

Decision by_dialect(const Situation& s) {
  switch (s.input.override_.dane) {
    case DaneOverride::none:
      return table_for(s);
    case DaneOverride::off:
      return without_dane(s);
    case DaneOverride::only:
      return only_dane(s);
  }
  return later("31", "internal error: unknown override");
}

}  // namespace sealane

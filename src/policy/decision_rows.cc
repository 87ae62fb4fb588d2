// SPDX-License-Identifier: Apache-2.0
// The rows 1-28 of the decision table (docs/decision.md), from the two classes to an answer.
#include <fmt/format.h>

#include <algorithm>

#include "policy/situation.h"

namespace sealane {
namespace {

std::string or_else(const std::string& text, std::string fallback) {
  return text.empty() ? std::move(fallback) : text;
}

bool any_allowed(const Situation& s) {
  return std::any_of(s.live.begin(), s.live.end(),
                     [&s](const HostFinding* host) { return s.allows(*host); });
}

/// Row 4.  An explicit level is only said where it is the one that applies anyhow.  Exim has no
/// other level than the one it is told, and logs what the policy would have refused.
Decision row_testing(const Situation& s) {
  if (s.policy != nullptr && s.input.dialect == Dialect::exim) {
    Decision decision = answer(Action::may, "4", "testing never blocks: a level, and a report");
    decision.report_testing = true;
    return decision;
  }
  const DefaultLevel level = s.input.settings.default_level;
  const bool reports = s.policy != nullptr && s.input.dialect == Dialect::postfix_tlsrpt;
  if (!reports || (level != DefaultLevel::may && level != DefaultLevel::encrypt)) {
    return answer(Action::not_found, "4", "a policy in testing mode never blocks");
  }
  const Action action = level == DefaultLevel::may ? Action::may : Action::encrypt;
  Decision decision = answer(action, "4", "testing never blocks: the default level, and a report");
  decision.report_testing = true;
  return decision;
}

/// Rows 1-8; 28 says that a domain whose hosts are all DEAD is judged like this.
Decision rows_without_dane(const Situation& s) {
  switch (s.sts) {
    case StsClass::none:
      return answer(Action::not_found, "1", "nothing is promised");
    case StsClass::enforce:
      if (s.live.empty() || any_allowed(s)) return by_policy(s, "2", "MTA-STS enforce");
      return by_policy(s, "3", "MTA-STS enforce, and no MX name is in the policy: all get refused");
    case StsClass::testing:
      return row_testing(s);
    case StsClass::mode_none:
      return answer(Action::not_found, "5", "the MTA-STS policy has mode none");
    case StsClass::fetch_failed:
      return answer(Action::not_found, "6", "no MTA-STS policy can be had: as if there were none");
    case StsClass::txt_error:
      return wait_for_sts(s, "7");
    case StsClass::pending:
    case StsClass::own_fault:
      return wait_for_sts(s, "8");
  }
  return later("31", "internal error: unknown STS class");
}

/// Rows 9 and 10.
Decision rows_all_dane(const Situation& s) {
  const bool is_conflict =
      s.enforce() && !std::all_of(s.live.begin(), s.live.end(),
                                  [&s](const HostFinding* host) { return s.allows(*host); });
  Decision decision = answer(Action::dane_only, "9", "every MX host has usable TLSA records");
  if (is_conflict) {
    step(decision, "10", "an MX host is not in the MTA-STS policy; DANE has proven name and key");
    decision.notices.push_back(Notice::sts_conflict);
  }
  return decision;
}

Decision rows_some_dane(const Situation& s) {
  if (s.open()) return wait_for_sts(s, "13");
  if (s.enforce()) return mixed(s, "12");
  return answer(Action::dane, "11", "some MX hosts have usable TLSA records: decided per host");
}

Decision rows_unusable(const Situation& s) {
  if (s.open()) return wait_for_sts(s, "13");
  if (s.enforce()) return by_policy(s, "15", "MTA-STS enforce is stricter than unusable TLSA");
  return answer(Action::dane, "14", "TLSA records, none usable: TLS is mandatory");
}

Decision rows_insecure(const Situation& s) {
  if (s.open()) return wait_for_sts(s, "13");
  if (s.enforce()) return by_policy(s, "23", "MTA-STS enforce; DANE is behind an insecure MX");
  if (s.input.settings.insecure_mx_may) {
    return answer(Action::not_found, "22", "DANE behind an insecure MX; policy.insecure-mx = may");
  }
  return answer(Action::dane, "22", "DANE behind an insecure MX: tamper-evident only");
}

/// Rows 16-21 and 13.
Decision rows_error(const Situation& s) {
  if (s.every(HostState::err)) return later("21", host_errors(s));
  if (s.any_without_dane()) {
    if (s.open()) return wait_for_sts(s, "13");
    if (s.enforce()) return mixed(s, "19");
    return answer(Action::dane, "18", "only the failing MX host is out: " + host_errors(s));
  }
  if (s.open()) {
    return answer(Action::dane_only, "16a",
                  "all other MX hosts have DANE, MTA-STS is open: " + host_errors(s));
  }
  if (s.enforce()) {
    if (s.input.dialect == Dialect::exim) return mixed(s, "17");
    return answer(Action::dane_only, "17",
                  "all other MX hosts have DANE, MTA-STS enforce: " + host_errors(s));
  }
  return answer(Action::dane, "16", "all other MX hosts have DANE: " + host_errors(s));
}

Decision row_too_many(const Situation& s) {
  const std::string text = fmt::format("more than {} MX hosts", kMaxMxHosts);
  if (is_mx_secure(s.input.dane)) return later("24", text);
  if (s.enforce()) return by_policy(s, "23", "MTA-STS enforce; " + text);
  if (s.open()) return wait_for_sts(s, "13");
  return later("24", text);
}

/// Row 24: never anything but temporary, S-ENF or not (RFC 7672 2.1.2).
Decision row_unknown(const Situation& s) {
  const DaneFinding& found = s.input.dane;
  if (found.too_many_hosts) return row_too_many(s);
  if (found.mx == MxStatus::error) {
    return later("24", or_else(found.reason, fmt::format("MX lookup for {} failed", s.domain())));
  }
  if (s.any(HostState::err)) return later("24", host_errors(s));
  return later("24", or_else(found.reason, "no MX host is known"));
}

/// Rows 25-27: nobody to deliver to, or so an unsigned answer says that may be meant for us alone.
Decision rows_nowhere(const Situation& s) {
  const bool is_null = s.dane == DaneClass::null;
  if (s.enforce()) {
    return by_policy(s, "26",
                     is_null ? "null MX, but MTA-STS enforce" : "no host, but MTA-STS enforce");
  }
  // Not knowing the store is not knowing whether row 26 holds.  Nothing else is waited for here:
  // for a domain without a host no policy is looked up.
  const bool unread = s.sts == StsClass::own_fault || s.sts == StsClass::pending;
  if (unread) return wait_for_sts(s, is_null ? "25" : "27");
  if (!is_null) return answer(Action::not_found, "27", "the domain has no mail host");
  Decision decision = answer(Action::not_found, "25", "null MX: the domain takes no mail");
  decision.notices.push_back(Notice::null_mx);
  return decision;
}

}  // namespace

Decision wait_for_sts(const Situation& s, std::string_view row) {
  if (s.sts == StsClass::own_fault) {
    return later("31", or_else(s.sts_reason, fmt::format("MTA-STS state of {} cannot be found "
                                                         "out, by a fault on our side",
                                                         s.domain())));
  }
  if (s.sts == StsClass::pending) {
    return later(row, or_else(s.sts_reason,
                              fmt::format("MTA-STS policy of {} is being fetched", s.domain())));
  }
  return later(row,
               or_else(s.sts_reason, fmt::format("TXT lookup for _mta-sts.{} failed", s.domain())));
}

Decision by_policy(const Situation& s, std::string_view row, std::string text) {
  if (s.policy == nullptr) return later("31", "internal error: no policy at hand");
  return answer(Action::sts, row, std::move(text));
}

Decision by_table(const Situation& s) {
  switch (s.dane) {
    case DaneClass::fail:
      return row_unknown(s);
    case DaneClass::null:
    case DaneClass::nx:
      return rows_nowhere(s);
    case DaneClass::d0:
      return rows_without_dane(s);
    case DaneClass::all:
      return rows_all_dane(s);
    case DaneClass::mix:
      return rows_some_dane(s);
    case DaneClass::enc:
      return rows_unusable(s);
    case DaneClass::ins:
      return rows_insecure(s);
    case DaneClass::err:
      return rows_error(s);
  }
  return later("31", "internal error: unknown DANE class");
}

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
// The order in which the rows are asked (docs/decision.md), and what every answer has in common:
// facts of the trail, notices, the policy, the life of the answer.
#include "policy/decision.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "policy/situation.h"

namespace sealane {
namespace {

// ---- the trail's facts ----------------------------------------------------------------------

std::string dane_fact(const Situation& s) {
  const DaneFinding& found = s.input.dane;
  std::string text = fmt::format("{}: MX {}", name_of(s.dane), name_of(found.mx));
  if (!found.hosts.empty()) text += is_mx_secure(found) ? ", secure" : ", insecure";
  const char* separator = "; ";
  for (const HostFinding& host : found.hosts) {
    text += fmt::format("{}{} {} {}", separator, host.preference, shown(host), name_of(host.state));
    separator = ", ";
  }
  if (!found.reason.empty()) text += fmt::format("; {}", found.reason);
  return text;
}

std::string sts_fact(const Situation& s) {
  if (s.sts_reason.empty()) return std::string(name_of(s.sts));
  return fmt::format("{}: {}", name_of(s.sts), s.sts_reason);
}

/// The operator's words for this asker; empty when there are none.
const std::string& fixed_words(const Override& what, Dialect dialect) {
  return dialect == Dialect::exim ? what.exim_reply : what.postfix_reply;
}

std::string override_fact(const Override& what) {
  std::string text = "override";
  if (what.fixed()) text += " with a fixed reply";
  if (what.dane == DaneOverride::off) text += " dane=off";
  if (what.dane == DaneOverride::only) text += " dane=only";
  if (what.sts_off) text += " sts=off";
  if (what.observe) text += " observe";
  if (!what.reason.empty()) text += fmt::format(" ({})", what.reason);
  return text;
}

void add_facts(Decision& decision, const Situation& s) {
  std::vector<Reason> trail;
  const Override& what = s.input.override_;
  if (what.any()) trail.push_back({"32", override_fact(what)});
  if (what.fixed() && fixed_words(what, s.input.dialect).empty()) {
    trail.push_back({"32", "the fixed reply is not for this asker"});
  }
  trail.push_back({"", dane_fact(s)});
  trail.push_back({"", sts_fact(s)});
  trail.insert(trail.end(), std::make_move_iterator(decision.trail.begin()),
               std::make_move_iterator(decision.trail.end()));
  decision.trail = std::move(trail);
}

// ---- notices --------------------------------------------------------------------------------

bool is_any_refused(const Situation& s) {
  return s.policy != nullptr &&
         std::any_of(s.live.begin(), s.live.end(),
                     [&s](const HostFinding* host) { return !s.allows(*host); });
}

bool is_txt_bound(const Situation& s) {
  return s.sts_asked && s.sts == StsClass::none && s.input.sts.txt_bound_reached;
}

std::string doubt_of(const Decision& decision, const Situation& s) {
  if (decision.row == "16") return host_errors(s);
  if (s.sts != StsClass::fetch_failed && !is_txt_bound(s)) return {};
  return s.sts_reason.empty() ? fmt::format("MTA-STS of {} cannot be found out", s.domain())
                              : s.sts_reason;
}

void add_notices(Decision& decision, const Situation& s) {
  std::vector<Notice>& notices = decision.notices;
  if (s.sts == StsClass::fetch_failed) notices.push_back(Notice::fetch_failed);
  if (is_txt_bound(s)) notices.push_back(Notice::txt_error_bound);
  // Where DANE decides at every host, row 10 has its own word for it.
  if (s.dane != DaneClass::all && is_any_refused(s)) notices.push_back(Notice::mx_mismatch);
  if (s.input.override_.any()) notices.push_back(Notice::overridden);
}

// ---- how long an answer lives -----------------------------------------------------------------

/// Whether another STS finding could have led to another answer.
bool rests_on_sts(const Decision& decision, const Situation& s) {
  if (!s.sts_asked) return false;
  if (s.input.dialect == Dialect::sendmail_sts) return true;
  constexpr std::array<std::string_view, 5> kRowsWithoutSts{"9", "10", "21", "24", "32"};
  return std::find(kRowsWithoutSts.begin(), kRowsWithoutSts.end(), decision.row) ==
         kRowsWithoutSts.end();
}

bool rests_on_dane(const Decision& decision, const Situation& s) {
  if (s.input.override_.dane == DaneOverride::off) return s.dane != DaneClass::d0;
  return !(s.input.dialect == Dialect::sendmail_sts && decision.action == Action::sts);
}

std::chrono::seconds life(const Decision& decision, const Situation& s) {
  if (decision.row == "31") return kOwnFaultTtl;
  std::chrono::seconds ttl = kMaxAnswerTtl;
  if (rests_on_dane(decision, s)) ttl = std::min(ttl, s.input.dane.ttl);
  if (rests_on_sts(decision, s)) ttl = std::min(ttl, s.input.sts.ttl);
  const bool is_passing = decision.action == Action::temporary || decision.waits_for_sts;
  if (is_passing) ttl = std::min(ttl, kMaxTemporaryTtl);
  return std::max(ttl, std::chrono::seconds{0});
}

// ---- REQUIRETLS -----------------------------------------------------------------------------

/// Row 34: whoever must refuse without REQUIRETLS may only do so when it is known.
Decision with_requiretls(Decision decision, const Situation& s) {
  if (!s.input.flags.requiretls || decision.action == Action::temporary) return decision;
  if (s.enforce() || s.dane == DaneClass::all) return decision;
  if (s.dane == DaneClass::err && !s.any_without_dane()) {
    return later("34", host_errors(s));
  }
  note(decision, "34", "REQUIRETLS: neither DANE at every host nor MTA-STS enforce");
  return decision;
}

bool is_requiretls_ok(const Decision& decision, const Situation& s) {
  const bool is_enforced = decision.action == Action::dane_only || decision.action == Action::sts ||
                           decision.action == Action::pins;
  return is_enforced && (s.dane == DaneClass::all || s.enforce());
}

// ---- waiting for MTA-STS ----------------------------------------------------------------------

/// A policy that allows every host: of all policies the one that changes the answer most.
StsPolicy allowing_all(const Situation& s) {
  StsPolicy policy;
  policy.mode = StsMode::enforce;
  std::vector<std::string> names;
  for (const HostFinding* host : s.live) {
    if (host->domain) names.push_back(host->domain->text());
  }
  if (names.empty()) names.push_back(s.domain());
  for (const std::string& name : names) {
    if (auto pattern = MxPattern::parse(name)) policy.mx.push_back(std::move(*pattern));
  }
  return policy;
}

/// The requiretls map is told whether to enforce, not what.
bool is_same_answer(Dialect dialect, Action a, Action b) {
  const auto enforces = [](Action action) {
    return action == Action::dane || action == Action::dane_only || action == Action::sts;
  };
  return a == b || (dialect == Dialect::requiretls && enforces(a) && enforces(b));
}

Decision resolved(const Situation& s) { return with_requiretls(by_dialect(s), s); }

/// Asks the table itself: would a definite "none" or a policy to enforce change this answer?
bool is_waiting(const Decision& decision, const Situation& s) {
  if (s.sts != StsClass::txt_error && s.sts != StsClass::pending) return false;
  Situation settled = s;
  settled.sts = StsClass::none;
  const Dialect dialect = s.input.dialect;
  if (!is_same_answer(dialect, resolved(settled).action, decision.action)) return true;
  const StsPolicy policy = allowing_all(s);
  settled.sts = StsClass::enforce;
  settled.policy = &policy;
  return !is_same_answer(dialect, resolved(settled).action, decision.action);
}

// ---- the rows before and after the table --------------------------------------------------------

Decision fixed(const std::string& words) {
  Decision decision = answer(Action::fixed, "32", "a fixed reply");
  decision.fixed_reply = words;
  decision.ttl = kMaxAnswerTtl;
  return decision;
}

/// Row 35: the sender waives TLS; the operator's words above do not yield to it.
bool is_tls_waived(const Override& what, const RequestFlags& flags) {
  return flags.tls_required_no && !flags.requiretls && what.dane != DaneOverride::only;
}

Decision waived() {
  Decision decision = answer(Action::may, "35", "the message says TLS-Required: no");
  decision.ttl = kMaxAnswerTtl;
  return decision;
}

/// For an answer without a lookup.
Decision with_override(Decision decision, const Override& what) {
  if (!what.any()) return decision;
  decision.trail.insert(decision.trail.begin(), {"32", override_fact(what)});
  decision.notices.push_back(Notice::overridden);
  return decision;
}

Decision own_fault(const DaneFinding& found) {
  std::string reason = found.reason;
  for (const HostFinding& host : found.hosts) {
    if (reason.empty() && host.state == HostState::err) reason = host.reason;
  }
  return temporary_failure(std::move(reason));
}

Decision finished(Decision decision, const Situation& s) {
  decision.waits_for_sts = is_waiting(decision, s);
  decision.requiretls_ok = is_requiretls_ok(decision, s);
  const bool tells_policy = decision.action == Action::sts || decision.report_testing;
  if (tells_policy && s.policy != nullptr) {
    decision.policy = *s.policy;
    decision.patterns = s.policy->mx;
    decision.policy_domain = s.domain();
  }
  decision.ttl = life(decision, s);
  return decision;
}

/// Rows 32, 35, 31, then the overrides and the table.
Decision before_observing(const Situation& s) {
  const DecisionInput& input = s.input;
  const std::string& words = fixed_words(input.override_, input.dialect);
  if (!words.empty()) return fixed(words);
  if (is_tls_waived(input.override_, input.flags)) return waived();
  if (input.dane.own_fault) return own_fault(input.dane);
  return finished(resolved(s), s);
}

Decision observed(Decision decision) {
  decision.would_be = decision.action;
  decision.action = Action::not_found;
  decision.waits_for_sts = false;
  decision.requiretls_ok = false;
  decision.report_testing = false;
  decision.notices.push_back(Notice::observed);
  step(decision, "33", "observing: said to nobody");
  return decision;
}

}  // namespace

Decision decide(const DecisionInput& input) {
  const Situation s = situation_of(input);
  Decision decision = before_observing(s);
  decision.dane = s.dane;
  decision.sts = s.sts;
  decision.doubt = doubt_of(decision, s);
  add_facts(decision, s);
  add_notices(decision, s);
  const bool observes = input.settings.observe || input.override_.observe;
  return observes ? observed(std::move(decision)) : decision;
}

Decision decide(const NoNextHop& key) {
  if (key.temporary()) {
    Decision decision = later("30", key.text.empty() ? "the key is no destination" : key.text);
    decision.ttl = kMaxTemporaryTtl;
    return decision;
  }
  const bool is_parent = key.why == NoNextHop::Why::parent_domain;
  Decision decision = answer(Action::not_found, is_parent ? "29" : "30", key.text);
  decision.ttl = kMaxAnswerTtl;
  return decision;
}

Decision observed_at_once(const Override& what) {
  Decision decision = answer(Action::not_found, "33", "observing: the lookup runs behind this");
  decision.ttl = kObservedTtl;
  decision.notices.push_back(Notice::observed);
  return with_override(std::move(decision), what);
}

std::optional<Decision> fixed_at_once(const Override& what, Dialect dialect) {
  const std::string& words = fixed_words(what, dialect);
  if (words.empty()) return std::nullopt;
  return with_override(fixed(words), what);
}

std::optional<Decision> waived_at_once(const Override& what, Dialect dialect,
                                       const RequestFlags& flags) {
  const bool is_fixed = !fixed_words(what, dialect).empty();
  if (is_fixed || !is_tls_waived(what, flags)) return std::nullopt;
  return with_override(waived(), what);
}

Decision temporary_failure(std::string reason) {
  if (reason.empty()) reason = "a fault on our side";
  Decision decision = later("31", std::move(reason));
  decision.ttl = kOwnFaultTtl;
  return decision;
}

}  // namespace sealane

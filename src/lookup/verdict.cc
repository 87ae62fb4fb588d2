// SPDX-License-Identifier: Apache-2.0
#include "lookup/verdict.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <variant>

namespace sealane {
namespace {

/// Brackets and ports are for the other dialects only.
std::optional<NoNextHop> no_destination(const std::string& key, Dialect dialect) {
  if (dialect != Dialect::requiretls) return std::nullopt;
  const ParsedKey parsed = parse_requiretls_key(key);
  const auto* none = std::get_if<NoNextHop>(&parsed);
  return none == nullptr ? std::nullopt : std::optional<NoNextHop>(*none);
}

Override without_observing(const Found& found) {
  Override what = found.rule ? found.rule->override_ : Override{};
  what.observe = false;
  return what;
}

DecisionInput input_of(const Found& found, Dialect dialect) {
  DecisionInput input{found.next_hop,
                      found.dane.value_or(DaneFinding{}),
                      found.sts.value_or(not_yet_known()),
                      without_observing(found),
                      dialect,
                      RequestFlags{},
                      found.settings};
  input.settings.observe = false;
  return input;
}

Decision decision_of(const Found& found, Dialect dialect) {
  const Override what = without_observing(found);
  if (std::optional<Decision> fixed = fixed_at_once(what, dialect)) return *std::move(fixed);
  const bool enough = found.dane || needs_no_dane(dialect, what, found.dane, found.sts);
  return enough ? decide(input_of(found, dialect)) : too_slow(dialect);
}

/// The same with S-FETCH, which follows a policy that has run out (RFC 8461 3.3).
std::optional<Decision> without_policy(const Found& found, Dialect dialect) {
  const bool relies = found.dane && found.sts && found.sts->policy;
  if (!relies || fixed_at_once(without_observing(found), dialect)) return std::nullopt;
  DecisionInput input = input_of(found, dialect);
  input.sts = StsFinding{};
  input.sts.value = StsClass::fetch_failed;
  input.sts.reason = "the policy has run out";
  return decide(input);
}

}  // namespace

std::chrono::seconds budget_of(Dialect dialect) {
  switch (dialect) {
    case Dialect::exim:
      return kEximBudget;
    case Dialect::sendmail_sts:
      return kSendmailBudget;
    case Dialect::postfix:
    case Dialect::postfix_tlsrpt:
    case Dialect::postfix_pins:
    case Dialect::requiretls:
      return kPostfixBudget;
  }
  return kSendmailBudget;
}

bool needs_no_dane(Dialect dialect, const Override& what, const std::optional<DaneFinding>& dane,
                   const std::optional<StsFinding>& sts) {
  return dialect == Dialect::sendmail_sts && what.dane == DaneOverride::none && !dane && sts &&
         sts->value == StsClass::enforce;
}

StsFinding not_yet_known() {
  StsFinding finding;
  finding.value = StsClass::pending;
  finding.reason = "the MTA-STS policy is not known yet";
  finding.ttl = std::chrono::seconds{1};
  return finding;
}

Decision too_slow(Dialect dialect) {
  return temporary_failure(
      fmt::format("the DNS lookups took longer than {} s", budget_of(dialect).count()));
}

Verdict verdict_of(const std::string& key, const NoNextHop& none, Dialect dialect) {
  const std::optional<NoNextHop> own = no_destination(key, dialect);
  return {dialect, decide(own.value_or(none)), {}, {}};
}

Verdict verdict_of(const Found& found, Dialect dialect) {
  Verdict verdict;
  verdict.dialect = dialect;
  if (const std::optional<NoNextHop> none = no_destination(found.key, dialect)) {
    verdict.decision = decide(*none);
    return verdict;
  }
  verdict.decision = decision_of(found, dialect);
  if (found.rule) verdict.decision.ttl = std::min(verdict.decision.ttl, found.rule_left);
  verdict.without_policy = without_policy(found, dialect);
  const Override what = found.rule ? found.rule->override_ : Override{};
  if (!found.settings.observe && !what.observe) return verdict;
  verdict.unobserved = std::move(verdict.decision);
  verdict.decision = observed_at_once(what);
  verdict.decision.would_be = verdict.unobserved->action;
  return verdict;
}

}  // namespace sealane

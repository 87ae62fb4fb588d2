// SPDX-License-Identifier: Apache-2.0
#include "server/explain_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <string_view>
#include <utility>

#include "base/text.h"
#include "base/utc.h"
#include "policy/overrides.h"
#include "policy/situation.h"
#include "server/explain_diff.h"

namespace sealane {
namespace json = boost::json;
using std::chrono::seconds;
using std::chrono::sys_seconds;

namespace {

json::value utc_or_null(const std::optional<sys_seconds>& time) {
  return time ? json::value(utc_text(*time)) : json::value(nullptr);
}

json::value seconds_or_null(const std::optional<seconds>& span) {
  return span ? json::value(span->count()) : json::value(nullptr);
}

std::string step_text(std::string_view text) { return escape_again(text, kMaxExplainedStep); }

/// Adds "name", bounded and escaped, and "name_total".
template <class Range, class ToJson>
void add_list(json::object& object, std::string_view name, const Range& items, std::size_t limit,
              ToJson to_json) {
  json::array shown_items;
  for (const auto& item : items) {
    if (shown_items.size() == limit) break;
    shown_items.emplace_back(to_json(item));
  }
  object[name] = std::move(shown_items);
  object[fmt::format("{}_total", name)] = items.size();
}

// ---- DANE -----------------------------------------------------------------------------------

json::object tlsa_json(const JudgedTlsa& judged) {
  return {{"record", to_text(judged.record, kMaxExplainedTlsaData)},
          {"octets", judged.record.data.size()},
          {"means", acronyms(judged.record)},
          {"usable", judged.usable},
          {"superseded", judged.superseded},
          {"why", step_text(judged.why)}};
}

/// Whether MTA-STS would let mail go there; null without a policy to be used.
json::value in_policy(const HostFinding& host, const StsPolicy* policy) {
  if (policy == nullptr || policy->mx.empty()) return nullptr;
  return host.domain.has_value() && policy->allows(*host.domain);
}

json::object host_json(const HostFinding& host, std::uint16_t port, const StsPolicy* policy) {
  json::object out{{"name", shown(host)},
                   {"preference", host.preference},
                   {"state", name_of(host.state)},
                   {"reason", step_text(host.reason)},
                   {"secure", host.secure},
                   {"ttl", host.ttl.count()},
                   {"in_policy", in_policy(host, policy)}};
  add_list(out, "addresses", host.addresses, kMaxExplainedAddresses,
           [](const std::string& address) { return escape(address); });
  add_list(out, "aliases", host.aliases, kMaxExplainedAliases,
           [](const std::string& alias) { return escape(alias); });
  json::value owner = nullptr;
  if (host.tlsa_base) owner = fmt::format("_{}._tcp.{}", port, host.tlsa_base->text());
  out["tlsa_owner"] = std::move(owner);
  add_list(out, "tlsa", host.records, kMaxExplainedTlsa, tlsa_json);
  return out;
}

const StsPolicy* policy_in_use(const Look& look) {
  if (!look.sts || !look.sts->finding.policy) return nullptr;
  return &*look.sts->finding.policy;
}

json::value dane_json(const Look& look, std::uint16_t port) {
  if (!look.dane) return nullptr;
  const DaneFinding& found = *look.dane;
  json::object out{{"class", name_of(classify(found))}, {"mx", name_of(found.mx)},
                   {"mx_secure", is_mx_secure(found)},  {"mx_ttl", found.mx_ttl.count()},
                   {"ttl", found.ttl.count()},          {"too_many_hosts", found.too_many_hosts},
                   {"own_fault", found.own_fault},      {"reason", step_text(found.reason)}};
  const StsPolicy* policy = policy_in_use(look);
  add_list(out, "hosts", found.hosts, kMaxMxHosts,
           [&](const HostFinding& host) { return host_json(host, port, policy); });
  return out;
}

// ---- MTA-STS ----------------------------------------------------------------------------------

json::value streak_json(const ErrorStreak& streak) {
  if (streak.count == 0) return nullptr;
  return json::object{{"count", streak.count},
                      {"first", utc_text(streak.first)},
                      {"last", utc_text(streak.last)},
                      {"text", step_text(streak.text)},
                      {"beyond_bound", streak.beyond_bound()}};
}

json::value policy_json(const StsView& view) {
  if (!view.policy) return nullptr;
  const StsPolicy& policy = *view.policy;
  json::object out{{"mode", name_of(policy.mode)},     {"max_age", policy.max_age.count()},
                   {"source", name_of(view.source)},   {"age", view.policy_age.count()},
                   {"left", view.policy_left.count()}, {"stored", view.memory.policy.has_value()}};
  const auto& stored = view.memory.policy;
  out["id"] = stored ? escape(stored->id) : escape(view.memory.txt_id);
  out["fetched"] = stored ? json::value(utc_text(stored->fetched)) : json::value(nullptr);
  out["expires"] = stored ? json::value(utc_text(stored->expires)) : json::value(nullptr);
  add_list(out, "mx", policy.mx, kMaxExplainedMx,
           [](const MxPattern& pattern) { return pattern.text(); });
  add_list(out, "lines", policy.lines, kMaxExplainedLines,
           [](const std::string& line) { return escape(line, kMaxExplainedLine); });
  return out;
}

json::value sts_json(const Look& look) {
  if (!look.sts) return nullptr;
  const StsFinding& found = look.sts->finding;
  const StsView& view = look.sts->view;
  json::object txt{{"state", name_of(view.txt)},
                   {"id", escape(view.memory.txt_id)},
                   {"problem", step_text(view.txt_problem)},
                   {"age", seconds_or_null(view.txt_age)},
                   {"ttl", view.txt_ttl.count()},
                   {"none_since", utc_or_null(view.memory.none_since)},
                   {"failures", streak_json(view.memory.txt_errors)}};
  add_list(txt, "records", view.txt_records, kMaxExplainedTexts,
           [](const std::string& text) { return escape(text, kMaxExplainedText); });
  json::object fetch{{"next", seconds_or_null(view.next_fetch)},
                     {"second", seconds_or_null(view.second_fetch)},
                     {"under_way", view.fetching},
                     {"failures", streak_json(view.memory.fetch_errors)},
                     {"failed_id", escape(view.memory.failed_id)}};
  fetch["own_fault"] = view.own_fault ? json::value(step_text(*view.own_fault)) : nullptr;
  json::object out{{"class", name_of(found.value)},
                   {"reason", step_text(found.reason)},
                   {"ttl", found.ttl.count()},
                   {"asked", utc_or_null(view.memory.asked)}};
  out["unreadable"] = view.unreadable ? json::value(step_text(*view.unreadable)) : nullptr;
  out["txt"] = std::move(txt);
  out["policy"] = policy_json(view);
  out["fetch"] = std::move(fetch);
  return out;
}

// ---- answers ----------------------------------------------------------------------------------

json::object answer_json(const ExplainedAnswer& answer) {
  const Decision& said = answer.verdict.decision;
  const Decision& decision = answer.verdict.unobserved ? *answer.verdict.unobserved : said;
  json::array notices;
  for (const Notice notice : decision.notices) notices.emplace_back(name_of(notice));
  json::object out{{"dialect", name_of(answer.verdict.dialect)},
                   {"names", json::value_from(answer.names)},
                   {"reply", answer.reply},
                   {"ttl", answer.ttl.count()},
                   {"kept", answer.kept},
                   {"row", said.row},
                   {"action", name_of(said.action)},
                   {"dane", name_of(decision.dane)},
                   {"sts", name_of(decision.sts)},
                   {"requiretls_ok", said.requiretls_ok},
                   {"waits_for_sts", said.waits_for_sts},
                   {"notices", std::move(notices)}};
  if (answer.decided) out["decided"] = *answer.decided;
  if (answer.unobserved) {
    out["would_be"] = json::object{
        {"row", decision.row}, {"action", name_of(decision.action)}, {"reply", *answer.unobserved}};
  }
  if (answer.at_expiry) {
    const Decision& later = *answer.verdict.without_policy;
    out["at_expiry"] = json::object{
        {"row", later.row}, {"action", name_of(later.action)}, {"reply", *answer.at_expiry}};
  }
  if (!said.reason.empty()) out["reason"] = step_text(said.reason);
  add_list(out, "trail", decision.trail, kMaxExplainedTrail, [](const Reason& step) {
    return json::object{{"row", step.row}, {"text", step_text(step.text)}};
  });
  return out;
}

json::object look_json(const ExplainedLook& explained, std::uint16_t port) {
  json::array answers;
  for (const ExplainedAnswer& answer : explained.answers) answers.emplace_back(answer_json(answer));
  return {{"milliseconds", explained.look->took.count()},
          {"dane", dane_json(*explained.look, port)},
          {"sts", sts_json(*explained.look)},
          {"answers", std::move(answers)}};
}

// ---- the whole ----------------------------------------------------------------------------------

json::value override_json(const OverrideRulePtr& rule) {
  if (!rule) return nullptr;
  return json::object{{"place", rule->place()},
                      {"rule", escape(text_of(*rule), kMaxExplainedStep)},
                      {"line", rule->line},
                      {"until", utc_or_null(rule->until)},
                      {"reason", escape(rule->override_.reason, kMaxExplainedStep)}};
}

std::string_view name_of_level(DefaultLevel level) {
  switch (level) {
    case DefaultLevel::none:
      return "none";
    case DefaultLevel::may:
      return "may";
    case DefaultLevel::encrypt:
      return "encrypt";
    case DefaultLevel::dane:
      return "dane";
    case DefaultLevel::dane_only:
      return "dane-only";
    case DefaultLevel::fingerprint:
      return "fingerprint";
    case DefaultLevel::verify:
      return "verify";
    case DefaultLevel::secure:
      return "secure";
  }
  return "?";
}

json::value next_hop_json(const Explanation& explanation) {
  const auto* next_hop = std::get_if<NextHop>(&explanation.parsed);
  if (next_hop == nullptr) return nullptr;
  json::object out{{"text", next_hop->text()},
                   {"domain", next_hop->domain.text()},
                   {"mx_lookup", next_hop->mx_lookup},
                   {"port", next_hop->port}};
  out["policy_domain"] =
      next_hop->has_sts() ? json::value(next_hop->domain.text()) : json::value(nullptr);
  return out;
}

json::object difference_json(const Difference& difference) {
  return {{"what", escape_again(difference.what)},
          {"known", step_text(difference.known)},
          {"live", step_text(difference.live)}};
}

}  // namespace

json::object explanation_json(const Explanation& explanation, const ExplainedLook& known,
                              const std::optional<ExplainedLook>& live, sys_seconds now) {
  const DecisionSettings& settings = explanation.settings;
  const auto* next_hop = std::get_if<NextHop>(&explanation.parsed);
  const std::uint16_t port = next_hop ? next_hop->port : kSmtpPort;
  json::object out{{"key", escape(explanation.key, kMaxKeyLength)},
                   {"time", utc_text(now)},
                   {"next_hop", next_hop_json(explanation)}};
  if (next_hop == nullptr) out["no_destination"] = std::get<NoNextHop>(explanation.parsed).text;
  out["settings"] = json::object{{"default_level", name_of_level(settings.default_level)},
                                 {"insecure_mx", settings.insecure_mx_may ? "may" : "dane"},
                                 {"mode", settings.observe ? "observe" : "enforce"}};
  out["override"] = override_json(explanation.rule);
  out["known"] = look_json(known, port);
  out["live"] = live ? json::value(look_json(*live, port)) : json::value(nullptr);
  if (explanation.too_busy) out["too_busy"] = true;
  if (live) {
    add_list(out, "differences", differences(known, *live), kMaxDifferences, difference_json);
  }
  return out;
}

}  // namespace sealane

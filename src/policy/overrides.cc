// SPDX-License-Identifier: Apache-2.0
#include "policy/overrides.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace sealane {
namespace {

using Place = std::pair<std::string_view, bool>;

Place place_of(const OverrideRule& rule) { return {rule.domain.text(), rule.subtree}; }

/// A value holds only one kind of quote, or it could not have been read.
std::string in_quotes(std::string_view value) {
  const char quote = value.find('"') == std::string_view::npos ? '"' : '\'';
  return fmt::format("{0}{1}{0}", quote, value);
}

/// The last day of the rule if it ends with a day, else the moment of its end.
std::string date_of(std::chrono::sys_seconds until) {
  const auto day = std::chrono::floor<std::chrono::days>(until);
  const bool is_midnight = until == day;
  const std::chrono::year_month_day date{is_midnight ? day - std::chrono::days{1} : day};
  std::string text =
      fmt::format("{:04}-{:02}-{:02}", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
  if (is_midnight) return text;
  const std::chrono::hh_mm_ss time{until - day};
  return text + fmt::format("T{:02}:{:02}:{:02}Z", time.hours().count(), time.minutes().count(),
                            time.seconds().count());
}

}  // namespace

std::string OverrideRule::place() const { return (subtree ? "." : "") + domain.text(); }

std::string OverrideRule::until_text() const { return date_of(until.value()); }

std::string text_of(const OverrideRule& rule) {
  const Override& what = rule.override_;
  std::string text = rule.place();
  if (!what.postfix_reply.empty()) text += " postfix=" + in_quotes(what.postfix_reply);
  if (!what.exim_reply.empty()) text += " exim=" + in_quotes(what.exim_reply);
  if (what.dane == DaneOverride::off) text += " dane=off";
  if (what.dane == DaneOverride::only) text += " dane=only";
  if (what.sts_off) text += " sts=off";
  if (what.observe) text += " observe";
  if (rule.until) text += " until=" + rule.until_text();
  return text + " reason=" + in_quotes(what.reason);
}

Overrides::Overrides(std::vector<OverrideRule> rules) : rules_(std::move(rules)) {
  std::stable_sort(rules_.begin(), rules_.end(), [](const OverrideRule& a, const OverrideRule& b) {
    return place_of(a) < place_of(b);
  });
}

const OverrideRule* Overrides::at(std::string_view domain, bool subtree) const {
  const Place wanted{domain, subtree};
  const auto found = std::lower_bound(
      rules_.begin(), rules_.end(), wanted,
      [](const OverrideRule& rule, const Place& place) { return place_of(rule) < place; });
  return found != rules_.end() && place_of(*found) == wanted ? &*found : nullptr;
}

const OverrideRule* Overrides::find(const Domain& name, std::chrono::sys_seconds now) const {
  if (rules_.empty()) return nullptr;
  std::string_view rest = name.text();
  const OverrideRule* rule = at(rest, false);
  if (rule != nullptr && rule->in_force(now)) return rule;
  for (auto dot = rest.find('.'); dot != std::string_view::npos; dot = rest.find('.')) {
    rest.remove_prefix(dot + 1);
    rule = at(rest, true);
    if (rule != nullptr && rule->in_force(now)) return rule;
  }
  return nullptr;
}

std::vector<const OverrideRule*> Overrides::expired(std::chrono::sys_seconds now) const {
  std::vector<const OverrideRule*> found;
  for (const OverrideRule& rule : rules_) {
    if (!rule.in_force(now)) found.push_back(&rule);
  }
  std::sort(found.begin(), found.end(),
            [](const OverrideRule* a, const OverrideRule* b) { return a->line < b->line; });
  return found;
}

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
#include "lookup/override_book.h"

#include <algorithm>

#include "base/log.h"

namespace sealane {

void OverrideBook::replace(std::shared_ptr<const Overrides> fresh) {
  current_ = std::move(fresh);
  not_for_asker_.clear();
  log_expired();
}

OverrideRulePtr OverrideBook::find(const Domain& name) const {
  const OverrideRule* rule = current_->find(name, clock_.wall());
  return rule == nullptr ? nullptr : OverrideRulePtr(current_, rule);
}

std::chrono::seconds OverrideBook::left(const OverrideRule& rule) const {
  if (!rule.until) return std::chrono::seconds::max();
  return std::max(*rule.until - clock_.wall(), std::chrono::seconds{0});
}

void OverrideBook::note_use(const OverrideRule& rule, const std::string& destination,
                            Dialect dialect, const Decision& decision) {
  const Override& what = rule.override_;
  const std::string& words = dialect == Dialect::exim ? what.exim_reply : what.postfix_reply;
  if (what.fixed() && words.empty()) {
    if (!not_for_asker_.insert(rule.place()).second) return;
    log(Severity::warning, "override_not_for_asker",
        {{"rule", rule.place()},
         {"asker", std::string(name_of(dialect))},
         {"problem", "the fixed answer is for other mail servers; decided as if it were not there"},
         {"reason", what.reason}});
    return;
  }
  const Action action = decision.would_be.value_or(decision.action);
  log(Severity::info, "override",
      {{"destination", destination},
       {"rule", rule.place()},
       {"asker", std::string(name_of(dialect))},
       {"action", std::string(name_of(action))},
       {"observed", decision.would_be ? "yes" : "no"},
       {"reason", what.reason}});
}

std::size_t OverrideBook::tick() { return clock_.steady() < next_report_ ? 0 : log_expired(); }

std::size_t OverrideBook::log_expired() {
  next_report_ = clock_.steady() + kExpiredOverridesEvery;
  const auto expired = current_->expired(clock_.wall());
  const std::size_t shown = std::min(expired.size(), kMaxExpiredLogged);
  for (std::size_t i = 0; i < shown; ++i) {
    log(Severity::warning, "override_expired",
        {{"line", std::to_string(expired[i]->line)}, {"rule", text_of(*expired[i])}});
  }
  if (shown < expired.size()) {
    log(Severity::warning, "override_expired", {{"more", std::to_string(expired.size() - shown)}});
  }
  return expired.size();
}

}  // namespace sealane

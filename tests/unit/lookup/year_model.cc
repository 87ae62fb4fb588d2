// SPDX-License-Identifier: Apache-2.0
#include "lookup/year_model.h"

#include <algorithm>

namespace sealane::year {
namespace {

/// A policy is used five minutes at least.
seconds life_of(seconds max_age) { return std::max(max_age, seconds{300}); }

/// The earliest and latest age at which it is fetched anew without trouble.
seconds earliest(seconds life) { return life < 2 * kDay ? life / 2 : kDay * 9 / 10; }
seconds latest(seconds life) { return life < 2 * kDay ? life / 2 : kDay * 11 / 10; }

seconds pause_after(unsigned failures, bool with_policy) {
  seconds pause = 5 * kMinute;
  for (unsigned i = 1; i < failures && pause < 6 * kHour; ++i) pause *= 2;
  return std::min(pause, with_policy ? 6 * kHour : 15 * kMinute);
}

StsClass class_of(StsMode mode) {
  if (mode == StsMode::enforce) return StsClass::enforce;
  return mode == StsMode::testing ? StsClass::testing : StsClass::mode_none;
}

bool is_policy(StsClass value) {
  return value == StsClass::enforce || value == StsClass::testing || value == StsClass::mode_none;
}

/// Longest time until a refresh has been made: the day, the walk, a pause after failures, the
/// spreading after a start.
constexpr seconds kBackOff = 6 * kHour;
constexpr seconds kSpreading = 3 * kHour;
constexpr seconds kWalk = 2 * kHour;

}  // namespace

void Model::served(const Site& site, const std::string& id, bool own_failure) {
  History& past = history_[site.domain.text()];
  past.dns_is_ours = own_failure;
  if (!id.empty()) past.id_now = id;
}

void Model::judge_gap(const Site& site, const History& past, seconds now) {
  const seconds gap = now - *past.last_fetch;
  INFO(site.domain.text() << " at " << now.count() << ", gap " << gap.count() << ", failures "
                          << past.failures);
  ++checks;
  if (past.last_own) return;  // no verdict: the next question may try at once
  CHECK(gap >= kMinute);
  if (past.id_now != past.id_then) return;
  const bool over = past.policy && now >= past.policy->ends;
  const bool last_try = over && *past.last_fetch < past.policy->ends;
  if (last_try) return;
  if (past.failures > 0) {
    CHECK(gap >= pause_after(past.failures, past.had_policy));
    return;
  }
  if (past.by_id && gap >= 10 * kMinute) return;  // the second look at a new id
  if (past.policy) CHECK(gap >= earliest(past.policy->life));
}

void Model::fetched(const Site& site, seconds now, const Us& us) {
  History& past = history_[site.domain.text()];
  if (past.last_fetch) judge_gap(site, past, now);
  const bool another_id = past.id_now != past.id_then;
  const bool first = !past.last_fetch;
  const bool with_policy = past.policy && now < past.policy->ends;
  past.last_fetch = now;
  past.last_own = !us.network;
  if (past.last_own) return;
  if (past.asked && now > *past.asked + 31 * kDay) ++past.after_abandon;
  ++past.per_day[now / kDay];
  past.id_then = past.id_now;
  if (site.fetchable()) {
    past.by_id = another_id && !first;
    past.failures = 0;
    const seconds life = life_of(site.max_age);
    past.policy = Known{now, now + life, life, site.mode, site.version};
    return;
  }
  if (now - past.last_failure > 7 * kDay) past.failures = 0;  // a streak that old says nothing
  ++past.failures;
  past.had_policy = with_policy;
  past.last_failure = now;
}

void Model::restarted() {
  for (auto& [name, past] : history_) {
    // A streak is remembered with a policy only.
    if (past.failures == 0 || past.had_policy) continue;
    past.failures = 0;
    past.last_fetch.reset();
  }
}

void Model::answered(const Site& site, seconds now, const Us& us, const StsFinding& found) {
  History& past = history_[site.domain.text()];
  if (!past.asked || now - *past.asked > 29 * kDay) past.asked_without_gap_since = now;
  judge_policy(site, past, now, found);
  judge_age(site, past, now, us, found);
  past.asked = now;
  past.after_abandon = 0;
}

/// What is in force: exactly what was fetched last, for exactly its life.
void Model::judge_policy(const Site& site, const History& past, seconds now,
                         const StsFinding& found) {
  INFO(site.domain.text() << " at " << now.count() << ": " << found.reason);
  ++checks;
  if (past.policy && now < past.policy->ends) {
    REQUIRE(is_policy(found.value));
    CHECK(found.value == class_of(past.policy->mode));
    const std::string mx = "mx" + std::to_string(past.policy->version) + "." + site.domain.text();
    CHECK(found.policy->allows(domain(mx)));
    return;
  }
  CHECK_FALSE(is_policy(found.value));
  if (past.dns_is_ours) CHECK(found.value == StsClass::own_fault);
  if (found.value == StsClass::none && site.has_record() && !site.txt_fails) {
    CHECK(now - site.id_since <= site.ttl);  // an answer from before the record
  }
}

/// What is in force is not older than the rules allow, and a new id is seen within the hour.
void Model::judge_age(const Site& site, const History& past, seconds now, const Us& us,
                      const StsFinding& found) {
  INFO(site.domain.text() << " at " << now.count() << ": " << found.reason);
  if (!site.fetchable() || !us.network) return;
  const seconds undisturbed =
      now - std::max({site.up_since, us.running_since, us.network_since, seconds{0}});
  const bool record_seen = site.has_record() && !site.txt_fails && now - site.id_since > kHour;
  const bool recovered = past.failures == 0 || now - past.last_failure > kBackOff;
  if (record_seen && recovered && undisturbed > kMinute) {
    ++checks;
    REQUIRE(is_policy(found.value));
    CHECK(found.id == site.id_text());
    // The policy that came with the id, or a later one.
    if (site.policy_since <= site.id_since) CHECK(past.policy->version == site.version);
  }
  // Without trouble for long enough, an asked-for policy is never older than a day and a bit.
  const seconds asked_for = now - past.asked_without_gap_since;
  const seconds bound =
      latest(life_of(site.max_age)) + kBackOff + kSpreading + kWalk + seconds(kMinute);
  if (!past.policy || now >= past.policy->ends) return;
  if (std::min({undisturbed, asked_for, now - site.policy_since}) <= bound) return;
  ++checks;
  CHECK(now - past.policy->at <= bound);
  CHECK(past.policy->version == site.version);
  CHECK(found.value == class_of(site.mode));
}

}  // namespace sealane::year

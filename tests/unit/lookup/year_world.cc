// SPDX-License-Identifier: Apache-2.0
#include "lookup/year_world.h"

#include <fmt/format.h>

namespace sealane::year {
namespace {

enum Action {
  kRotate,       // another id, the same policy
  kNewMode,      // another mode under another id
  kRecordFirst,  // the same, but the policy follows some minutes after its id
  kPolicyFollows,
  kSilentChange,  // another policy under the old id
  kTxtGone,
  kTxtBack,
  kTxtFails,
  kTxtWorks,
  kHostDown,
  kHostUp,
  kLeave,  // RFC 8461 8.3: none, with a short life, and a new id
  kGone,
};

StsMode next_mode(StsMode mode) {
  return mode == StsMode::enforce ? StsMode::testing : StsMode::enforce;
}

/// Few live so short that they are fetched all the time.
seconds life(std::size_t site) {
  if (site % 250 == 7) return 10 * kMinute;
  if (site % 100 == 11) return kHour;
  const seconds lives[] = {kDay, 3 * kDay, 7 * kDay, 31 * kDay, 120 * kDay, 7 * kDay, 14 * kDay};
  return lives[site % std::size(lives)];
}

}  // namespace

std::string Site::body() const {
  std::string text = fmt::format("version: STSv1\nmode: {}\nmax_age: {}\nmx: mx{}.{}\n",
                                 name_of(mode), max_age.count(), version, domain.text());
  return text;
}

Sites::Sites(std::size_t count, std::uint32_t seed) : random_(seed) {
  for (std::size_t i = 0; i < count; ++i) {
    Site site(domain(fmt::format("d{:04}.example", i)));
    site.max_age = life(i);
    site.mode = random_() % 4 == 0 ? StsMode::testing : StsMode::enforce;
    site.ttl = between(kMinute, kHour);
    const std::size_t share = i % 20;
    site.habit = share == 0   ? Habit::busy
                 : share < 9  ? Habit::daily
                 : share < 16 ? Habit::weekly
                              : Habit::abandoned;
    site.last_day = between(20 * kDay, 250 * kDay);
    plan(site, seconds{0});
    by_name_[site.domain.text()] = i;
    sites_.push_back(std::move(site));
  }
}

Site* Sites::find(const std::string& name) {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &sites_[found->second];
}

seconds Sites::between(seconds least, seconds most) {
  return least + seconds(static_cast<std::int64_t>(random_()) % ((most - least).count() + 1));
}

seconds Sites::next_question(const Site& site, seconds now) {
  switch (site.habit) {
    case Habit::busy:
      return now + between(kMinute, 2 * kHour);
    case Habit::daily:
      return now + between(kHour, 2 * kDay);
    case Habit::weekly:
      return now + between(kDay, 14 * kDay);
    case Habit::abandoned:
      break;
  }
  const seconds next = now + between(kHour, 2 * kDay);
  return next > site.last_day ? seconds::max() : next;
}

void Sites::later(const Site& site, seconds when, int action) {
  fate_.emplace(when, std::pair(site.domain.text(), action));
}

/// The next thing that happens to a site, and, where it is a trouble, its end.
void Sites::plan(Site& site, seconds now) {
  const seconds at = now + between(kDay, 30 * kDay);
  const std::uint32_t dice = random_() % 100;
  if (dice < 25) {
    later(site, at, kRotate);
  } else if (dice < 45) {
    later(site, at, kNewMode);
  } else if (dice < 55) {
    later(site, at, kRecordFirst);
  } else if (dice < 60) {
    later(site, at, kSilentChange);
  } else if (dice < 72) {
    later(site, at, kTxtGone);
  } else if (dice < 82) {
    later(site, at, kTxtFails);
  } else if (dice < 98) {
    later(site, at, kHostDown);
  } else {
    later(site, at, kLeave);
  }
}

void Sites::act(Site& site, int action, seconds now) {
  const auto another_policy = [&] {
    ++site.version;
    site.policy_since = now;
  };
  const auto another_record = [&] {
    ++site.id;
    site.id_since = now;
  };
  switch (action) {
    case kRotate:
      another_record();
      return plan(site, now);
    case kNewMode:
      site.mode = next_mode(site.mode);
      another_policy();
      another_record();
      return plan(site, now);
    case kRecordFirst:
      another_record();
      later(site, now + between(kMinute, 9 * kMinute), kPolicyFollows);
      return;
    case kPolicyFollows:
      site.mode = next_mode(site.mode);
      another_policy();
      return plan(site, now);
    case kSilentChange:
      another_policy();
      return plan(site, now);
    case kTxtGone:
      site.txt_present = false;
      site.id_since = now;
      later(site, now + between(kHour, 20 * kDay), kTxtBack);
      return;
    case kTxtBack:
      site.txt_present = true;
      site.id_since = now;
      return plan(site, now);
    case kTxtFails:
      site.txt_fails = true;
      later(site, now + between(kHour, 5 * kDay), kTxtWorks);
      return;
    case kTxtWorks:
      site.txt_fails = false;
      site.id_since = now;
      return plan(site, now);
    case kHostDown:
      site.host_up = false;
      later(site, now + between(kHour, 12 * kDay), kHostUp);
      return;
    case kHostUp:
      site.host_up = true;
      site.up_since = now;
      return plan(site, now);
    case kLeave: {
      const seconds wait = site.max_age + 2 * kDay;  // until nobody can have the old policy
      site.leaving = true;
      site.mode = StsMode::none;
      site.max_age = kDay;
      another_policy();
      another_record();
      later(site, now + wait, kGone);
      return;
    }
    case kGone:
      site.gone = true;
      site.id_since = now;
      return;
  }
}

void Sites::live(seconds now) {
  while (!fate_.empty() && fate_.begin()->first <= now) {
    const auto [name, action] = fate_.begin()->second;
    fate_.erase(fate_.begin());
    act(*find(name), action, now);
  }
}

}  // namespace sealane::year

// SPDX-License-Identifier: Apache-2.0
#include "lookup/sts_entry.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "policy/sts_record.h"

namespace sealane {
namespace {

using std::chrono::seconds;

seconds whole_seconds(StsEntry::Steady::duration span) {
  return std::chrono::duration_cast<seconds>(span);
}

StsClass class_of(StsMode mode) {
  switch (mode) {
    case StsMode::enforce:
      return StsClass::enforce;
    case StsMode::testing:
      return StsClass::testing;
    case StsMode::none:
      return StsClass::mode_none;
  }
  return StsClass::own_fault;
}

}  // namespace

StsEntry::StsEntry(std::int64_t spread, StsMemory memory, const Clock& clock, Steady started)
    : spread_(spread), memory_(std::move(memory)) {
  memory_.txt_errors.follow(clock);
  memory_.fetch_errors.follow(clock);
  if (!memory_.policy) return;
  auto policy = parse_sts_policy(memory_.policy->body);
  if (!policy) {
    unreadable_ = policy.error();
    return;
  }
  policy_ = std::move(*policy);
  restore(clock, started);
}

/// Wall-clock times of the store become times of the steady clock.
void StsEntry::restore(const Clock& clock, Steady started) {
  // A clock that was wrong when the policy was written, or is now, must not lengthen its life.
  const auto now = clock.wall();
  StoredPolicy& stored = *memory_.policy;
  const bool from_the_future = stored.fetched > now;
  stored.fetched = std::min(stored.fetched, now);
  stored.expires = std::min(stored.expires, now + std::max(policy_->max_age, kMinPolicyLife));
  policy_ends_ = clock.steady() + (stored.expires - now);
  policy_fetched_ = clock.steady() - (now - stored.fetched);
  const seconds running = whole_seconds(clock.steady() - started);
  const PolicyAge age{now - stored.fetched, stored.expires - now, running};
  refresh_at_ = clock.steady() + (from_the_future ? seconds{0} : until_refresh(age, spread_));
  // What a wrong clock wrote must not hold a fetch up.
  const ErrorStreak& streak = memory_.fetch_errors;
  if (!from_the_future) fetch_allowed_ = policy_fetched_ + kFetchSpacing;
  if (streak.count == 0) return;
  const Steady failed = clock.steady() + (streak.last - now);
  fetch_allowed_ = std::max(fetch_allowed_, failed + kFetchSpacing);
  next_fetch_ = failed + backoff(streak.count, kMaxRefreshBackoff);
}

bool StsEntry::has_policy(const Clock& clock) const {
  return policy_ && clock.steady() < policy_ends_;
}

bool StsEntry::expired_untried(const Clock& clock) const { return policy_ && !has_policy(clock); }

bool StsEntry::id_changed() const {
  return txt_ == TxtState::valid && memory_.policy && memory_.policy->id != memory_.txt_id;
}

std::optional<StsEntry::Steady> StsEntry::refresh_at() const {
  if (!policy_) return std::nullopt;
  return std::min(std::max(refresh_at_, next_fetch_), policy_ends_);
}

double StsEntry::life_left(const Clock& clock) const {
  const auto life = policy_ends_ - policy_fetched_;
  const auto left = policy_ends_ - clock.steady();
  return static_cast<double>(left.count()) / static_cast<double>(life.count());
}

bool StsEntry::wants_fetch(const Clock& clock) const {
  const auto now = clock.steady();
  if (fetching || now < fetch_allowed_) return false;
  if (expired_untried(clock) || unreadable_) return true;
  const bool another_id = txt_ == TxtState::valid && memory_.txt_id != memory_.failed_id;
  if (!has_policy(clock)) return another_id || (txt_ == TxtState::valid && now >= next_fetch_);
  if (id_changed()) return another_id || now >= next_fetch_;
  if (second_fetch_ && now >= *second_fetch_) return true;
  return now >= next_fetch_ && now >= refresh_at_;
}

bool StsEntry::fetch_matters(const Clock& clock) const {
  return !has_policy(clock) || id_changed();
}

TxtChange StsEntry::apply_txt(const DnsReply& reply, const Clock& clock) {
  const bool was_gone = memory_.none_since.has_value();
  TxtChange change;
  change.old_id = memory_.txt_id;
  read_txt(reply, clock);
  if (!memory_.policy) return change;
  change.vanished = memory_.none_since && !was_gone;
  change.back = was_gone && !memory_.none_since;
  change.id_changed = txt_ == TxtState::valid && memory_.txt_id != change.old_id;
  return change;
}

void StsEntry::read_txt(const DnsReply& reply, const Clock& clock) {
  txt_at_ = clock.steady();
  txt_ttl_ = reply.ttl;
  txt_problem_.clear();
  if (reply.failed()) {
    txt_ = reply.own_fault ? TxtState::own_fault : TxtState::failed;
    txt_problem_ = escape(reply.why);
    // A failure that the resolver has kept is not a second one.
    const bool fresh = clock.steady() >= txt_failure_kept_until_;
    if (reply.own_fault || !fresh) return;
    txt_failure_kept_until_ = clock.steady() + reply.ttl;
    memory_.txt_errors.note(clock, txt_problem_);
    return;
  }
  memory_.txt_errors = {};
  StsRecordSet found = read_sts_records(reply.txt);
  switch (found.kind) {
    case StsRecordSet::Kind::none:
      txt_ = TxtState::none;
      none_heard_ = clock.steady();
      break;
    case StsRecordSet::Kind::several:
      txt_ = TxtState::several;
      break;
    case StsRecordSet::Kind::invalid:
      txt_ = TxtState::invalid;
      break;
    case StsRecordSet::Kind::one:
      txt_ = TxtState::valid;
      memory_.txt_id = std::move(found.record.id);
      memory_.none_since.reset();
      none_heard_.reset();
      return;
  }
  txt_problem_ = std::move(found.problem);
  memory_.none_since = clock.wall();
}

void StsEntry::adopt(StsPolicy policy, Steady fetched, seconds life) {
  policy_ = std::move(policy);
  policy_fetched_ = fetched;
  policy_ends_ = policy_fetched_ + life;
  refresh_at_ = policy_fetched_ + refresh_age(life, spread_);
  unreadable_.reset();
  own_fault_.reset();
  memory_.fetch_errors = {};
  memory_.failed_id.clear();
  next_fetch_ = {};
}

StsChange StsEntry::apply_fetched(const FetchedBody& body, StsPolicy policy, const Clock& clock) {
  const auto now = clock.wall();
  const seconds life = std::max(policy.max_age, kMinPolicyLife);
  std::string id = memory_.policy ? memory_.policy->id : std::string();
  if (txt_ == TxtState::valid) id = memory_.txt_id;
  StoredPolicy stored{std::move(id), body.body, now, now + life};
  fetched_here_ = true;
  return replace(std::move(stored), std::move(policy), clock);
}

StsChange StsEntry::apply_elsewhere(StoredPolicy stored, StsPolicy policy, const Clock& clock) {
  fetched_here_ = false;
  return replace(std::move(stored), std::move(policy), clock);
}

FetchPlan StsEntry::fetch_plan(const Clock& clock) const {
  FetchPlan plan;
  plan.known = memory_.policy;
  if (txt_ == TxtState::valid) plan.id = memory_.txt_id;
  plan.awaited = fetch_matters(clock);
  return plan;
}

StsChange StsEntry::replace(StoredPolicy stored, StsPolicy policy, const Clock& clock) {
  StsChange change;
  const bool new_id = id_changed();
  const bool known = policy_.has_value();
  const Steady fetched = clock.steady() - (clock.wall() - stored.fetched);
  change.changed = !known || policy_->lines != policy.lines;
  if (known) change.before = policy_->mode;
  change.weaker = known && policy_->mode == StsMode::enforce && policy.mode != StsMode::enforce;
  // What is published a little after a new id belongs to it.
  const bool settling = new_id_at_ && fetched - *new_id_at_ <= kIdSettles;
  change.without_new_id = known && change.changed && !new_id && !settling;
  change.deleted = policy.max_age == seconds{0};

  const seconds life = stored.expires - stored.fetched;
  memory_.policy = std::move(stored);
  if (change.deleted) memory_.policy.reset();
  second_fetch_.reset();
  if (new_id) new_id_at_ = fetched;
  // Another node, whose policy is older than that, has looked a second time itself.
  const Steady second = fetched + kSecondFetch;
  if (new_id && second > clock.steady()) second_fetch_ = second;
  fetch_allowed_ = fetched + kFetchSpacing;
  adopt(std::move(policy), fetched, life);
  return change;
}

void StsEntry::drop_policy() {
  policy_.reset();
  memory_.policy.reset();
  second_fetch_.reset();
}

StsFailure StsEntry::apply_failure(const std::string& text, bool own_fault, const Clock& clock) {
  const auto now = clock.steady();
  StsFailure failure;
  if (own_fault) {
    own_fault_ = text;
    fetch_allowed_ = now + kOwnFaultPause;
    return failure;
  }
  own_fault_.reset();
  fetch_allowed_ = now + kFetchSpacing;
  const bool ended = policy_ && !has_policy(clock);
  memory_.fetch_errors.follow(clock);
  const ErrorStreak before = memory_.fetch_errors;
  memory_.fetch_errors.note(clock, text);
  memory_.failed_id = memory_.txt_id;
  const seconds most = has_policy(clock) ? seconds(kMaxRefreshBackoff) : seconds(kMaxBackoff);
  next_fetch_ = now + backoff(memory_.fetch_errors.count, most);
  if (second_fetch_) second_fetch_ = next_fetch_;
  failure.new_cause = before.count == 0 || before.text != text;
  failure.third = before.count == 2 && memory_.fetch_errors.count == 3;
  if (has_policy(clock)) note_life_left(before, failure, clock);
  if (ended) {
    failure.expired = policy_->mode;
    drop_policy();
  }
  const bool rubbish = unreadable_ && memory_.policy && memory_.policy->expires <= clock.wall();
  if (rubbish) {
    unreadable_.reset();
    drop_policy();
  }
  return failure;
}

/// The failure before this one, whose time is stored, tells whether the warning was given already:
/// a restart repeats none and loses none.
void StsEntry::note_life_left(const ErrorStreak& before, StsFailure& failure,
                              const Clock& clock) const {
  const double now = life_left(clock);
  double then = 1;
  if (before.count > 0) {
    const auto since = std::chrono::duration<double>(clock.wall() - before.last);
    then = now + since / std::chrono::duration<double>(policy_ends_ - policy_fetched_);
  }
  failure.half = now < 0.5 && then >= 0.5;
  failure.fifth = now < 0.2 && then >= 0.2;
}

seconds StsEntry::txt_ttl_left(const Clock& clock) const {
  if (txt_ == TxtState::unknown) return seconds{1};
  return std::max(seconds{1}, txt_ttl_ - whole_seconds(clock.steady() - txt_at_));
}

StsFinding StsEntry::finding(const Clock& clock) const {
  if (!has_policy(clock)) return without_policy(clock);
  StsFinding finding;
  finding.value = class_of(policy_->mode);
  finding.policy = *policy_;
  finding.ttl = std::min(txt_ttl_left(clock), whole_seconds(policy_ends_ - clock.steady()));
  finding.id = memory_.policy ? memory_.policy->id : memory_.txt_id;
  if (memory_.policy) {
    finding.fetched = memory_.policy->fetched;
    finding.expires = memory_.policy->expires;
  }
  finding.reason = fmt::format("a policy with mode {} is known", name_of(policy_->mode));
  if (memory_.fetch_errors.count > 0) {
    finding.reason += fmt::format("; the last fetch failed: {}", memory_.fetch_errors.text);
  }
  return finding;
}

StsFinding StsEntry::without_policy(const Clock& clock) const {
  StsFinding finding;
  finding.ttl = txt_ttl_left(clock);
  finding.id = memory_.txt_id;
  const auto say = [&finding](StsClass value, std::string reason) {
    finding.value = value;
    finding.reason = std::move(reason);
    return finding;
  };
  if (own_fault_ && (expired_untried(clock) || unreadable_ || txt_ == TxtState::valid)) {
    finding.ttl = kOwnFaultPause;
    return say(StsClass::own_fault,
               fmt::format("cannot fetch the MTA-STS policy: {}", *own_fault_));
  }
  if (unreadable_) {
    finding.ttl = kOwnFaultPause;
    return say(StsClass::own_fault,
               fmt::format("the stored MTA-STS policy cannot be read: {}", *unreadable_));
  }
  if (expired_untried(clock)) {
    finding.ttl = seconds{1};
    return say(StsClass::pending, "the MTA-STS policy has expired and is being fetched");
  }
  const bool none_lately = none_heard_ && clock.steady() - *none_heard_ <= kNoneLife;
  const bool stale = clock.steady() > txt_at_ + txt_ttl_ + kTxtGrace;
  if (stale && !(txt_ == TxtState::none && none_lately)) {
    return say(StsClass::pending, "the _mta-sts TXT record is being looked up");
  }
  switch (txt_) {
    case TxtState::unknown:
      return say(StsClass::pending, "the _mta-sts TXT record is being looked up");
    case TxtState::own_fault:
      return say(StsClass::own_fault,
                 fmt::format("cannot look up the _mta-sts TXT record: {}", txt_problem_));
    case TxtState::failed:
      break;
    case TxtState::none:
      return say(StsClass::none, "no _mta-sts TXT record");
    case TxtState::several:
    case TxtState::invalid:
      return say(StsClass::none, "no valid _mta-sts TXT record: " + txt_problem_);
    case TxtState::valid:
      // While the fetch is repeated, the last one has failed still; days later it says nothing.
      if (memory_.fetch_errors.count > 0 && memory_.failed_id == memory_.txt_id &&
          clock.steady() < next_fetch_ + kMaxBackoff) {
        const auto wait = whole_seconds(next_fetch_ - clock.steady());
        finding.ttl = std::clamp(wait, seconds{1}, finding.ttl);
        return say(StsClass::fetch_failed,
                   "the MTA-STS policy could not be fetched: " + memory_.fetch_errors.text);
      }
      finding.ttl = seconds{1};
      return say(StsClass::pending, "the MTA-STS policy is being fetched");
  }
  const std::string failed = fmt::format("the _mta-sts TXT lookup failed ({})", txt_problem_);
  if (none_lately) {
    return say(StsClass::none, failed + "; it said \"none\" less than a day ago");
  }
  if (!memory_.txt_errors.beyond_bound()) return say(StsClass::txt_error, failed);
  finding.txt_bound_reached = true;
  return say(StsClass::none, fmt::format("{} {} times", failed, memory_.txt_errors.count));
}

std::size_t StsEntry::octets() const {
  constexpr std::size_t kPerLine = 64;  // string and bookkeeping
  if (!policy_) return 0;
  std::size_t sum = memory_.policy ? memory_.policy->body.size() : 0;
  for (const std::string& line : policy_->lines) sum += line.size() + kPerLine;
  return sum + policy_->mx.size() * kPerLine;
}

}  // namespace sealane

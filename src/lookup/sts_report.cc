// SPDX-License-Identifier: Apache-2.0
#include "lookup/sts_report.h"

#include <utility>

#include "base/text.h"

namespace sealane {
namespace {

constexpr std::chrono::hours kVanishedWarning{24};

std::string mode_of(const StsSlot& slot) {
  return slot.entry.policy() ? std::string(name_of(slot.entry.policy()->mode)) : std::string();
}

EventKind kind_of(const StsChange& change) {
  if (change.weaker) return EventKind::policy_weaker;
  if (change.deleted) return EventKind::policy_deleted;
  if (!change.before) return EventKind::policy_new;
  return change.without_new_id ? EventKind::policy_changed_without_new_id
                               : EventKind::policy_changed;
}

}  // namespace

TlsrptFailure tlsrpt_failure(FetchProblem problem) {
  return problem == FetchProblem::tls ? TlsrptFailure::webpki_invalid : TlsrptFailure::fetch_error;
}

void StsReport::tell(const StsSlot& slot, EventKind kind, Severity severity, std::string text,
                     std::string old_value, std::string new_value) {
  if (!events_) return;
  events_->note(Event{clock_.wall(), slot.domain, kind, severity, std::move(text),
                      std::move(old_value), std::move(new_value)});
}

void StsReport::txt(StsSlot& slot, const TxtChange& change) {
  const TxtState txt = slot.entry.txt();
  if (change.id_changed) {
    tell(slot, EventKind::id_changed, Severity::info, "another policy id", change.old_id,
         slot.entry.memory().txt_id);
  }
  if (change.back) {
    log(Severity::notice, "sts_txt_back", {{"domain", slot.domain.text()}});
    tell(slot, EventKind::txt_back, Severity::notice, "the TXT record is there again");
  }
  if (change.vanished && slot.entry.has_policy(clock_)) {
    // Without a policy to lose, or with mode none (RFC 8461 8.3), it is no loss.
    const bool loss = slot.entry.policy()->mode != StsMode::none;
    const std::string why = txt == TxtState::none ? "no record" : slot.entry.txt_problem();
    tell(slot, EventKind::txt_vanished, loss ? Severity::warning : Severity::info,
         why + "; the known policy stays until it expires", slot.entry.memory().txt_id);
  }
  const bool gone = txt == TxtState::none || txt == TxtState::several || txt == TxtState::invalid;
  if (gone && slot.entry.has_policy(clock_)) vanished(slot);
}

void StsReport::vanished(StsSlot& slot) {
  if (slot.entry.policy()->mode == StsMode::none) return;
  const auto now = clock_.steady();
  if (slot.vanished_warning && now - *slot.vanished_warning < kVanishedWarning) return;
  slot.vanished_warning = now;
  ++counters.downgrades;
  const bool none = slot.entry.txt() == TxtState::none;
  log(Severity::warning, "sts_txt_vanished",
      {{"domain", slot.domain.text()},
       {"mode", mode_of(slot)},
       {"cause", none ? "no record" : slot.entry.txt_problem()},
       {"effect", "the known policy stays until it expires"}});
}

void StsReport::fetched(const StsSlot& slot, const StsChange& change, const std::string& old_id) {
  if (!change.changed) return;
  const StsPolicy& policy = *slot.entry.policy();
  if (change.weaker) ++counters.downgrades;
  const bool alarming = change.weaker || change.without_new_id;
  const Severity severity = alarming ? Severity::warning : Severity::info;
  const std::string& id = slot.entry.memory().txt_id;
  log(severity, change.without_new_id ? "sts_policy_changed_without_new_id" : "sts_policy_new",
      {{"domain", slot.domain.text()},
       {"mode", std::string(name_of(policy.mode))},
       {"max_age", std::to_string(policy.max_age.count())},
       {"id", id},
       {"weaker", change.weaker ? "yes" : "no"}});
  std::string before;
  if (change.before) before = fmt::format("mode {}, id {}", name_of(*change.before), old_id);
  tell(slot, kind_of(change), severity,
       fmt::format("max_age {}, {} mx patterns", policy.max_age.count(), policy.mx.size()),
       std::move(before), fmt::format("mode {}, id {}", name_of(policy.mode), id));
}

void StsReport::own_fault(const StsSlot& slot, const std::string& cause) {
  ++counters.fetch_failures;
  log(Severity::error, "sts_fetch_failed",
      {{"domain", slot.domain.text()},
       {"type", "own-fault"},
       {"cause", cause},
       {"effect", slot.entry.has_policy(clock_) ? "the known policy stays" : "no policy"}});
}

void StsReport::failed(const StsSlot& slot, const StsFailure& failure,
                       const FetchVerdict& verdict) {
  const std::string& cause = verdict.cause;
  ++counters.fetch_failures;
  tell_domain(slot, verdict);
  // RFC 8461 3.3: tell the administrator, unless the policy is "none" (which is how one leaves).
  const StsPolicy* policy = slot.entry.policy();
  const bool leaving =
      (policy && policy->mode == StsMode::none) || failure.expired == StsMode::none;
  const Severity severity = leaving ? Severity::info : Severity::warning;
  log(severity, "sts_fetch_failed",
      {{"domain", slot.domain.text()},
       {"type", std::string(name_of(verdict.type))},
       {"cause", cause},
       {"effect", policy ? "the known policy stays" : "no policy"}});
  if (failure.new_cause) {
    tell(slot, EventKind::fetch_failed, severity,
         fmt::format("{}: {}", name_of(verdict.type), escape(cause)));
  }
  if (!leaving) still_failing(slot, failure, cause);
  if (!failure.expired) return;
  const bool downgrade = failure.expired == StsMode::enforce;
  if (downgrade) ++counters.downgrades;
  const std::string mode(name_of(*failure.expired));
  log(downgrade ? Severity::error : severity, "sts_policy_expired",
      {{"domain", slot.domain.text()}, {"mode", mode}, {"cause", cause}});
  tell(slot, EventKind::policy_expired, downgrade ? Severity::error : severity, escape(cause),
       "mode " + mode);
}

/// Only a failure that mail has met, and that leaves nothing in force: a policy that is known is
/// told to the MTA, which reports the session.
void StsReport::tell_domain(const StsSlot& slot, const FetchVerdict& verdict) {
  const bool wanted = slot.entry.txt() == TxtState::valid && !slot.entry.has_policy(clock_);
  if (!tlsrpt_ || !slot.mail_waits || !wanted || !verdict.theirs) return;
  tlsrpt_->fetch_failed(slot.domain, verdict.type, verdict.cause);
}

void StsReport::still_failing(const StsSlot& slot, const StsFailure& failure,
                              const std::string& cause) {
  const auto warn = [&](EventKind kind, const char* how) {
    const StsMemory& memory = slot.entry.memory();
    const auto left =
        memory.policy ? memory.policy->expires - clock_.wall() : std::chrono::seconds{0};
    log(Severity::warning, "sts_refresh_failing",
        {{"domain", slot.domain.text()},
         {"mode", mode_of(slot)},
         {"state", how},
         {"seconds_left", std::to_string(left.count())},
         {"cause", cause}});
    tell(slot, kind, Severity::warning, fmt::format("{}: {}", how, escape(cause)));
  };
  if (!slot.entry.policy() || !slot.entry.memory().policy) return;
  if (failure.third) warn(EventKind::refresh_failing, "three failures in a row");
  if (failure.fifth) return warn(EventKind::refresh_failing_fifth, "less than 20 % of life left");
  if (failure.half) warn(EventKind::refresh_failing_half, "less than half of life left");
}

void StsReport::not_durable(const StsSlot& slot, const std::string& cause) {
  ++counters.not_durable;
  log(Severity::alarm, "policy_not_durable", {{"domain", slot.domain.text()}, {"cause", cause}});
  tell(slot, EventKind::policy_not_durable, Severity::alarm, escape(cause));
}

void StsReport::forgotten(const Domain& domain) {
  log(Severity::info, "sts_policy_forgotten",
      {{"domain", domain.text()}, {"cause", "expired, and nobody has asked for 30 days"}});
}

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
#include "lookup/sts_lookup.h"

#include <algorithm>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "lookup/network_health.h"
#include "lookup/sts_entry.h"

namespace sealane {
namespace {

using Steady = StsEntry::Steady;

/// Pauses between the daemon's own repetitions of a failing TXT lookup, and for how long after the
/// last question it goes on.
constexpr std::chrono::seconds kTxtRetries[] = {std::chrono::seconds{30}, std::chrono::seconds{60},
                                                std::chrono::seconds{120},
                                                std::chrono::seconds{300}};
constexpr std::chrono::hours kRetryAfterQuestion{1};
/// The time of the last question is written to the store this seldom.
constexpr std::chrono::hours kAskedPrecision{24};
constexpr std::chrono::hours kVanishedWarning{24};

struct Slot {
  explicit Slot(Domain name) : domain(std::move(name)) {}

  Domain domain;
  StsEntry entry;
  bool loaded = false;
  std::string load_error;  ///< the store could not say: our fault
  bool in_flight = false;
  bool txt_done = false;   ///< of the flight under way
  bool saving = false;     ///< the answer waits for the store
  bool kept = false;       ///< the store has a row
  std::size_t octets = 0;  ///< counted into Impl::octets_
  Signal changed;
  std::optional<Steady> last_question;
  std::optional<Steady> due;
  std::optional<Steady> vanished_warning;
  std::list<std::string>::iterator recency;
};
using SlotPtr = std::shared_ptr<Slot>;

std::chrono::seconds retry_pause(std::uint32_t failures) {
  const std::size_t last = std::size(kTxtRetries) - 1;
  return kTxtRetries[std::min<std::size_t>(failures > 0 ? failures - 1 : 0, last)];
}

/// RFC 8460 4.3.2.2.
std::string_view tlsrpt_type(FetchProblem problem) {
  return problem == FetchProblem::tls ? "sts-webpki-invalid" : "sts-policy-fetch-error";
}

struct Saving {
  bool done = false;
  std::string error;
  Signal ended;
};

}  // namespace

class StsLookup::Impl : public std::enable_shared_from_this<StsLookup::Impl> {
 public:
  Impl(boost::asio::any_io_executor lookup, Resolver& resolver, PolicyFetcher& fetcher,
       PolicyStore& store, const Clock& clock, StsLimits limits)
      : lookup_(std::move(lookup)),
        resolver_(resolver),
        fetcher_(fetcher),
        store_(store),
        clock_(clock),
        limits_(limits) {}

  Task<StsFinding> find(Domain domain, Deadline deadline);
  Task<StsFinding> find_known(Domain domain);
  void tick();
  void close();
  const StsCounters& counters() const { return counters_; }

 private:
  SlotPtr slot_of(const Domain& domain);
  void evict();
  void recount(const SlotPtr& slot);
  void start(const SlotPtr& slot);
  void schedule(const SlotPtr& slot);
  Task<> fly(SlotPtr slot);
  Task<> load(SlotPtr slot);
  Task<> look_at_txt(SlotPtr slot);
  Task<> fetch(SlotPtr slot);
  Task<> accept(SlotPtr slot, FetchedBody body);
  void refuse(Slot& slot, std::string_view type, const std::string& text, bool own_fault);
  void judge_failure(Slot& slot, const FetchFailure& failure);
  void report_change(const Slot& slot, const StsChange& change);
  void report_vanished(Slot& slot);
  Task<> save(SlotPtr slot);
  Task<> save_and_tell(SlotPtr slot, std::shared_ptr<Saving> saving);
  std::optional<Deadline> patience(const Slot& slot, Deadline began, Deadline deadline) const;
  StsFinding finding(const Slot& slot) const;

  boost::asio::any_io_executor lookup_;
  Resolver& resolver_;
  PolicyFetcher& fetcher_;
  PolicyStore& store_;
  const Clock& clock_;
  StsLimits limits_;
  StsCounters counters_;
  NetworkHealth health_;
  std::unordered_map<std::string, SlotPtr> slots_;
  std::list<std::string> recency_;  ///< front: asked for last
  std::size_t octets_ = 0;
  std::multimap<Steady, std::string> agenda_;
  bool closed_ = false;
};

SlotPtr StsLookup::Impl::slot_of(const Domain& domain) {
  const auto found = slots_.find(domain.text());
  if (found != slots_.end()) {
    recency_.splice(recency_.begin(), recency_, found->second->recency);
    return found->second;
  }
  auto slot = std::make_shared<Slot>(domain);
  recency_.push_front(domain.text());
  slot->recency = recency_.begin();
  slots_.emplace(domain.text(), slot);
  evict();
  return slot;
}

void StsLookup::Impl::evict() {
  auto candidate = recency_.end();
  while (candidate != recency_.begin() &&
         (slots_.size() > limits_.max_domains || octets_ > limits_.max_octets)) {
    --candidate;
    const auto found = slots_.find(*candidate);
    if (candidate == recency_.begin() || found->second->in_flight) continue;
    octets_ -= found->second->octets;
    slots_.erase(found);
    candidate = recency_.erase(candidate);
  }
}

void StsLookup::Impl::recount(const SlotPtr& slot) {
  const auto found = slots_.find(slot->domain.text());
  if (found == slots_.end() || found->second != slot) return;  // evicted meanwhile
  octets_ -= slot->octets;
  slot->octets = slot->entry.octets();
  octets_ += slot->octets;
  evict();
}

void StsLookup::Impl::start(const SlotPtr& slot) {
  if (closed_ || slot->in_flight) return;
  slot->in_flight = true;
  slot->txt_done = false;
  spawn_detached(lookup_, fly(slot), "sts lookup of " + slot->domain.text());
}

/// How long an asker waits for what is under way; nullopt: not at all.
std::optional<Deadline> StsLookup::Impl::patience(const Slot& slot, Deadline began,
                                                  Deadline deadline) const {
  if (!slot.loaded) return deadline;
  if (!slot.txt_done) return std::min(deadline, began + limits_.txt_wait);
  const bool awaited = slot.entry.fetching && slot.entry.fetch_matters(clock_);
  if (awaited || slot.saving) return std::min(deadline, began + limits_.fetch_wait);
  return std::nullopt;
}

Task<StsFinding> StsLookup::Impl::find(Domain domain, Deadline deadline) {
  const auto self = shared_from_this();
  const SlotPtr slot = slot_of(domain);
  slot->last_question = clock_.steady();
  const Deadline began = std::chrono::steady_clock::now();
  start(slot);
  while (slot->in_flight && !closed_) {
    const auto until = patience(*slot, began, deadline);
    if (!until) break;
    const bool news = co_await slot->changed.wait_until(*until);
    if (!news) break;
  }
  co_return finding(*slot);
}

Task<StsFinding> StsLookup::Impl::find_known(Domain domain) {
  const auto self = shared_from_this();
  const SlotPtr slot = slot_of(domain);
  co_await load(slot);
  StsFinding known = finding(*slot);
  if (slot->loaded && !slot->entry.has_policy(clock_)) {
    known = StsFinding{};
    known.reason = "no policy is known, and none was looked for";
    known.ttl = std::chrono::hours{1};
  }
  co_return known;
}

StsFinding StsLookup::Impl::finding(const Slot& slot) const {
  const bool usable = !closed_ || slot.entry.has_policy(clock_);
  if (slot.loaded && usable) return slot.entry.finding(clock_);
  StsFinding unknown;
  unknown.value = StsClass::own_fault;
  unknown.reason = slot.load_error.empty() ? "the policy store has not answered yet"
                                           : "the policy store failed: " + slot.load_error;
  if (closed_) unknown.reason = "shutting down";
  unknown.ttl = std::chrono::seconds{1};
  return unknown;
}

Task<> StsLookup::Impl::fly(SlotPtr slot) {
  const auto self = shared_from_this();
  try {
    co_await load(slot);
    if (slot->loaded) {
      co_await look_at_txt(slot);
      if (slot->entry.wants_fetch(clock_) && !closed_) co_await fetch(slot);
    }
  } catch (const std::exception& e) {
    slot->entry.fetching = false;
    log(Severity::error, "internal_error", {{"where", "sts lookup"}, {"what", e.what()}});
  }
  slot->in_flight = false;
  slot->saving = false;
  recount(slot);
  schedule(slot);
  slot->changed.notify();
}

Task<> StsLookup::Impl::load(SlotPtr slot) {
  if (slot->loaded) co_return;
  Result<std::optional<StsMemory>> memory = co_await store_.find(slot->domain);
  if (slot->loaded) co_return;  // another asker was faster
  if (!memory) {
    slot->load_error = memory.error();
    log(Severity::alarm, "store_failed",
        {{"domain", slot->domain.text()}, {"cause", memory.error()}});
    co_return;
  }
  slot->load_error.clear();
  slot->kept = memory->has_value();
  if (slot->kept) slot->entry = StsEntry(std::move(**memory), clock_);
  slot->loaded = true;
  recount(slot);
  slot->changed.notify();
}

Task<> StsLookup::Impl::look_at_txt(SlotPtr slot) {
  const auto owner = slot->domain.below("_mta-sts");
  DnsReply reply;
  if (owner) {
    DnsQuestion question{*owner, RrType::txt, slot->domain.text()};
    reply = co_await resolver_.ask(std::move(question));
  } else {
    reply.status = DnsStatus::nxdomain;  // too long to exist
    reply.ttl = std::chrono::hours{1};
  }
  const ErrorStreak streak = slot->entry.memory().txt_errors;
  const bool asked_lately =
      slot->entry.memory().asked && clock_.wall() - *slot->entry.memory().asked < kAskedPrecision;
  slot->entry.apply_txt(reply, clock_);
  report_vanished(*slot);
  if (!asked_lately && slot->last_question) slot->entry.note_asked(clock_);
  const bool asked_moved = !asked_lately && slot->entry.has_policy(clock_);
  if (slot->entry.memory().txt_errors != streak || asked_moved) {
    spawn_detached(lookup_, save(slot), "saving " + slot->domain.text());
  }
  slot->txt_done = true;
  slot->changed.notify();
}

void StsLookup::Impl::report_vanished(Slot& slot) {
  const TxtState txt = slot.entry.txt();
  const bool gone = txt == TxtState::none || txt == TxtState::several || txt == TxtState::invalid;
  if (!gone || !slot.entry.has_policy(clock_)) return;
  const auto now = clock_.steady();
  if (slot.vanished_warning && now - *slot.vanished_warning < kVanishedWarning) return;
  slot.vanished_warning = now;
  ++counters_.downgrades;
  log(Severity::warning, "sts_txt_vanished",
      {{"domain", slot.domain.text()},
       {"mode", std::string(name_of(slot.entry.policy()->mode))},
       {"cause", txt == TxtState::none ? "no record" : slot.entry.txt_problem()},
       {"effect", "the known policy stays until it expires"}});
}

Task<> StsLookup::Impl::fetch(SlotPtr slot) {
  slot->entry.fetching = true;
  ++counters_.fetches;
  slot->changed.notify();
  Fetched fetched = co_await fetcher_.fetch(slot->domain);
  if (fetched) {
    health_.note_reached();
    co_await accept(slot, std::move(*fetched));
  } else {
    judge_failure(*slot, fetched.error());
  }
  slot->entry.fetching = false;
}

Task<> StsLookup::Impl::accept(SlotPtr slot, FetchedBody body) {
  Result<StsPolicy> policy = parse_sts_policy(body.body);
  if (!policy) {
    refuse(*slot, "sts-policy-invalid", "invalid policy: " + policy.error(), false);
    co_return;
  }
  const StsChange change = slot->entry.apply_fetched(body, std::move(*policy), clock_);
  report_change(*slot, change);
  // The memory of first contact is durable before the first answer that relies on it.
  slot->saving = true;
  auto saving = std::make_shared<Saving>();
  spawn_detached(lookup_, save_and_tell(slot, saving), "saving " + slot->domain.text());
  const Deadline until = std::chrono::steady_clock::now() + limits_.store_wait;
  while (!saving->done) {
    const bool news = co_await saving->ended.wait_until(until);
    if (!news) break;
  }
  slot->saving = false;
  if (saving->done && saving->error.empty()) co_return;
  ++counters_.not_durable;
  log(Severity::alarm, "policy_not_durable",
      {{"domain", slot->domain.text()},
       {"cause", saving->done ? saving->error : "the store has not answered in time"}});
}

Task<> StsLookup::Impl::save_and_tell(SlotPtr slot, std::shared_ptr<Saving> saving) {
  const StsMemory memory = slot->entry.memory();
  Result<void> kept;
  if (memory.worth_keeping()) {
    kept = co_await store_.put(slot->domain, memory);
  } else {
    kept = co_await store_.erase(slot->domain);
  }
  if (kept) slot->kept = memory.worth_keeping();
  if (!kept) saving->error = kept.error();
  saving->done = true;
  saving->ended.notify();
}

Task<> StsLookup::Impl::save(SlotPtr slot) {
  const auto self = shared_from_this();
  if (!slot->kept && !slot->entry.memory().worth_keeping()) co_return;
  auto saving = std::make_shared<Saving>();
  co_await save_and_tell(slot, saving);
  if (saving->error.empty()) co_return;
  log(Severity::warning, "store_failed",
      {{"domain", slot->domain.text()}, {"cause", saving->error}});
}

void StsLookup::Impl::judge_failure(Slot& slot, const FetchFailure& failure) {
  const auto now = clock_.steady();
  if (!failure.unreachable.empty()) {
    health_.note_unreachable(slot.domain.text(), failure.unreachable, now);
  } else if (failure.problem != FetchProblem::own && failure.problem != FetchProblem::dns) {
    health_.note_reached();
  }
  if (failure.problem != FetchProblem::own && !failure.unreachable.empty() &&
      health_.looks_broken(now)) {
    refuse(slot, tlsrpt_type(failure.problem),
           failure.text + " (no policy host is reachable: is it our own network?)", true);
    return;
  }
  refuse(slot, tlsrpt_type(failure.problem), failure.text, failure.problem == FetchProblem::own);
}

void StsLookup::Impl::refuse(Slot& slot, std::string_view type, const std::string& text,
                             bool own_fault) {
  ++counters_.fetch_failures;
  const bool known = slot.entry.has_policy(clock_);
  log(own_fault ? Severity::error : Severity::warning, "sts_fetch_failed",
      {{"domain", slot.domain.text()},
       {"type", own_fault ? "own-fault" : std::string(type)},
       {"cause", text},
       {"effect", known ? "the known policy stays" : "no policy"}});
  const bool expired = slot.entry.apply_failure(text, own_fault, clock_);
  if (!expired) return;
  ++counters_.downgrades;
  log(Severity::error, "sts_policy_expired", {{"domain", slot.domain.text()}, {"cause", text}});
}

void StsLookup::Impl::report_change(const Slot& slot, const StsChange& change) {
  if (!change.changed) return;
  const StsPolicy& policy = *slot.entry.policy();
  if (change.weaker) ++counters_.downgrades;
  log(change.weaker || change.without_new_id ? Severity::warning : Severity::info,
      change.without_new_id ? "sts_policy_changed_without_new_id" : "sts_policy_new",
      {{"domain", slot.domain.text()},
       {"mode", std::string(name_of(policy.mode))},
       {"max_age", std::to_string(policy.max_age.count())},
       {"id", slot.entry.memory().txt_id},
       {"weaker", change.weaker ? "yes" : "no"}});
}

/// Notes when the domain wants attention without being asked for.
void StsLookup::Impl::schedule(const SlotPtr& slot) {
  const auto now = clock_.steady();
  std::optional<Steady> due = slot->entry.second_fetch();
  const bool asked_lately = slot->last_question && now - *slot->last_question < kRetryAfterQuestion;
  if (slot->entry.txt() == TxtState::failed && asked_lately) {
    const Steady retry = now + retry_pause(slot->entry.memory().txt_errors.count);
    due = due ? std::min(*due, retry) : retry;
  }
  if (!due || slot->due == due) return;
  slot->due = due;
  agenda_.emplace(*due, slot->domain.text());
}

void StsLookup::Impl::tick() {
  const auto now = clock_.steady();
  while (!agenda_.empty() && agenda_.begin()->first <= now) {
    const auto [due, name] = *agenda_.begin();
    agenda_.erase(agenda_.begin());
    const auto found = slots_.find(name);
    if (found == slots_.end() || found->second->due != due) continue;
    found->second->due.reset();
    start(found->second);
  }
}

void StsLookup::Impl::close() {
  closed_ = true;
  for (const auto& [name, slot] : slots_) slot->changed.notify();
}

StsLookup::StsLookup(boost::asio::any_io_executor lookup, Resolver& resolver,
                     PolicyFetcher& fetcher, PolicyStore& store, const Clock& clock,
                     StsLimits limits)
    : impl_(std::make_shared<Impl>(std::move(lookup), resolver, fetcher, store, clock, limits)) {}
StsLookup::~StsLookup() = default;
Task<StsFinding> StsLookup::find(Domain domain, Deadline deadline) {
  return impl_->find(std::move(domain), deadline);
}
Task<StsFinding> StsLookup::find_known(Domain domain) {
  return impl_->find_known(std::move(domain));
}
void StsLookup::tick() { impl_->tick(); }
void StsLookup::close() { impl_->close(); }
const StsCounters& StsLookup::counters() const { return impl_->counters(); }

}  // namespace sealane

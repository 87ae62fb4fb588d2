// SPDX-License-Identifier: Apache-2.0
#include "lookup/sts_lookup.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "lookup/network_health.h"
#include "lookup/shared_policy.h"
#include "lookup/sts_again.h"
#include "lookup/sts_operator.h"
#include "lookup/sts_saver.h"
#include "lookup/sts_slots.h"
#include "lookup/sts_troubles.h"

namespace sealane {
namespace {

using Steady = StsEntry::Steady;
using Slot = StsSlot;
using SlotPtr = StsSlotPtr;

/// For how long after the last question the daemon repeats a failing TXT lookup by itself.
constexpr std::chrono::hours kRetryAfterQuestion{1};

/// The other side has said something: our own network works.
bool proves_connection(FetchProblem problem) {
  switch (problem) {
    case FetchProblem::tls:
    case FetchProblem::status:
    case FetchProblem::redirect:
    case FetchProblem::media_type:
    case FetchProblem::too_large:
    case FetchProblem::protocol:
      return true;
    case FetchProblem::dns:
    case FetchProblem::address:
    case FetchProblem::connect:
    case FetchProblem::timeout:
    case FetchProblem::own:
      return false;
  }
  return false;
}

/// Counts a fetch for as long as it runs.
class Running {
 public:
  explicit Running(std::size_t& count) : count_(count) { ++count_; }
  ~Running() { --count_; }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

 private:
  std::size_t& count_;
};

}  // namespace

class StsLookup::Impl : public std::enable_shared_from_this<StsLookup::Impl> {
 public:
  Impl(boost::asio::any_io_executor lookup, Resolver& resolver, PolicyFetcher& fetcher,
       PolicyStore& store, const Clock& clock, StsLimits limits, EventSink* events)
      : lookup_(std::move(lookup)),
        resolver_(resolver),
        fetcher_(fetcher),
        store_(store),
        clock_(clock),
        limits_(limits),
        report_(clock, events),
        saver_(lookup_, store),
        slots_(limits.max_domains, limits.max_octets),
        operator_(slots_, saver_, troubles_, store, clock, operator_work()),
        started_(clock.steady()),
        wall_ahead_(clock.wall().time_since_epoch() - whole(started_)) {}

  Task<StsFinding> find(Domain domain, Deadline deadline);
  Task<StsFinding> find_known(Domain domain);
  Task<StsView> view(Domain domain, bool ask_txt);
  Task<StsSight> look_again(Domain domain);
  Task<Refreshed> refresh(Domain domain);
  Task<> forget(Domain domain);
  bool has_room_for_refresh() const;
  void tick();
  void close();
  const StsCounters& counters() const { return report_.counters; }
  Steady started() const { return started_; }
  StsOperator& operations() { return operator_; }
  StsTroubles& troubles() { return troubles_; }

 private:
  static std::chrono::seconds whole(Steady time) {
    return std::chrono::floor<std::chrono::seconds>(time.time_since_epoch());
  }
  StsOperator::Work operator_work();
  void watch_wall_clock();
  void start(const SlotPtr& slot);
  void schedule(const SlotPtr& slot);
  Task<> fly(SlotPtr slot);
  Task<> load(SlotPtr slot);
  Task<> look_at_txt(SlotPtr slot);
  Task<> fetch_if_due(SlotPtr slot);
  Task<> fetch(SlotPtr slot);
  Task<> look_elsewhere(SlotPtr slot);
  bool waits(Slot& slot) const;
  Task<> fetch_here(SlotPtr slot, bool awaited);
  Task<> accept(SlotPtr slot, FetchedBody body);
  Task<bool> take_over(SlotPtr slot, StoredPolicy policy);
  Task<> keep(SlotPtr slot, StsChange change, std::string old_id);
  void refuse(const SlotPtr& slot, std::string_view type, const std::string& text);
  void judge_failure(const SlotPtr& slot, const FetchFailure& failure);
  void save_later(const SlotPtr& slot) { saver_.save_later(slot, shared_from_this()); }
  std::optional<Steady> wanted_at(const Slot& slot) const;
  std::optional<Deadline> patience(const Slot& slot, Deadline began, Deadline deadline) const;
  StsFinding finding(const Slot& slot) const;
  bool was_our_fault(const Slot& slot) const;

  boost::asio::any_io_executor lookup_;
  Resolver& resolver_;
  PolicyFetcher& fetcher_;
  PolicyStore& store_;
  const Clock& clock_;
  StsLimits limits_;
  StsReport report_;
  StsSaver saver_;
  NetworkHealth health_;
  StsSlots slots_;
  StsTroubles troubles_;
  StsOperator operator_;
  std::multimap<Steady, std::string> agenda_;
  std::size_t refreshing_ = 0;  ///< fetches that nobody waits for
  std::size_t awaited_ = 0;     ///< fetches that somebody may wait for
  Steady started_;
  std::chrono::seconds wall_ahead_;  ///< wall clock minus steady clock
  bool closed_ = false;
};

StsOperator::Work StsLookup::Impl::operator_work() {
  StsOperator::Work work;
  work.owner = [this] { return shared_from_this(); };
  work.load = [this](SlotPtr slot) { return load(std::move(slot)); };
  work.start = [this](const SlotPtr& slot) { start(slot); };
  work.finding = [this](const Slot& slot) { return finding(slot); };
  work.started = [this] { return started_; };
  work.store_wait = limits_.store_wait;
  return work;
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
  const SlotPtr slot = slots_.asked(domain);
  slot->last_question = clock_.steady();
  slot->unnoted_question = true;
  const Deadline began = std::chrono::steady_clock::now();
  if (was_our_fault(*slot)) slot->entry.forgive_failure(clock_);
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
  const SlotPtr slot = slots_.asked(domain);
  co_await load(slot);
  if (slot->loaded && slot->entry.knows_nothing() && !slot->in_flight) {
    co_await look_elsewhere(slot);
    slots_.recount(slot);
    schedule(slot);
  }
  StsFinding known = finding(*slot);
  if (slot->loaded && slot->entry.has_stored() && !slot->entry.has_policy(clock_)) {
    start(slot);  // nothing is given up before a fetch was tried
    known.value = StsClass::own_fault;
    known.reason = "a kept MTA-STS policy has run out, or cannot be read, and is fetched anew";
    known.ttl = std::chrono::seconds{1};
  } else if (slot->loaded && !slot->entry.has_policy(clock_)) {
    known = StsFinding{};
    known.reason = "no policy is known, and none was looked for";
    known.ttl = std::chrono::hours{1};
  }
  co_return known;
}

/// Its fetch failed to connect, and by now nobody's succeeds: then it was our network.
bool StsLookup::Impl::was_our_fault(const Slot& slot) const {
  const auto now = clock_.steady();
  const bool lately = slot.unreachable_at && now - *slot.unreachable_at <= kHealthWindow;
  return lately && health_.looks_broken(now);
}

StsFinding StsLookup::Impl::finding(const Slot& slot) const {
  const bool usable = !closed_ || slot.entry.has_policy(clock_);
  if (slot.loaded && usable) {
    StsFinding found = slot.entry.finding(clock_);
    if (found.value == StsClass::fetch_failed && was_our_fault(slot)) {
      found.value = StsClass::own_fault;
      found.ttl = kOwnFaultPause;
    }
    return found;
  }
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
      co_await fetch_if_due(slot);
    }
  } catch (const std::exception& e) {
    slot->entry.fetching = false;
    log(Severity::error, "internal_error", {{"where", "sts lookup"}, {"what", e.what()}});
  }
  slot->in_flight = false;
  slot->saving = false;
  if (!slot->purged) troubles_.note(slot->domain, slot->entry.memory());
  // Back-off without a policy is not in the store.
  const bool backs_off =
      !slot->entry.has_policy(clock_) && slot->entry.memory().fetch_errors.count > 0;
  slots_.landed(slot, backs_off || wanted_at(*slot).has_value());
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
  if (slot->kept) {
    slot->entry = StsEntry(spread_of(slot->domain.text()), std::move(**memory), clock_, started_);
  }
  slot->loaded = true;
  slots_.recount(slot);
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
  const TxtChange change = slot->entry.apply_txt(reply, clock_);
  report_.txt(*slot, change);
  const bool asked = std::exchange(slot->unnoted_question, false);
  if (!asked_lately && asked) slot->entry.note_asked(clock_);
  const bool asked_moved = !asked_lately && asked && slot->entry.has_policy(clock_);
  const bool txt_moved =
      change.vanished || change.back || slot->entry.memory().txt_errors != streak;
  if (txt_moved || asked_moved || slot->unsaved) save_later(slot);
  slot->txt_done = true;
  slot->changed.notify();
}

bool StsLookup::Impl::has_room_for_refresh() const {
  return refreshing_ < kMaxRefreshes && awaited_ < kBusyFetches && !closed_;
}

/// A refresh that finds no room is left to the refresher, which comes back.
Task<> StsLookup::Impl::fetch_if_due(SlotPtr slot) {
  slot->outcome = Refreshed::not_due;
  if (slot->entry.knows_nothing()) {
    slot->entry.fetching = true;  // an answer waits for it
    co_await look_elsewhere(slot);
    slot->entry.fetching = false;
  }
  if (!slot->entry.wants_fetch(clock_) || closed_) co_return;
  const bool awaited = slot->entry.fetch_matters(clock_) || slot->demanded;
  if (!awaited && !has_room_for_refresh()) co_return;
  const Running running(awaited ? awaited_ : refreshing_);
  co_await fetch(slot);
}

/// What another node knows is no first contact that could be denied to us.
Task<> StsLookup::Impl::look_elsewhere(SlotPtr slot) {
  FetchPlan plan = slot->entry.fetch_plan(clock_);
  Elsewhere other = co_await store_.elsewhere(slot->domain, std::move(plan));
  // Something else may have taught us meanwhile.
  const bool useful = other.policy && slot->entry.knows_nothing();
  if (useful) co_await take_over(slot, std::move(*other.policy));
}

/// A lock that outlives its holder's fetch holds nobody up.
bool StsLookup::Impl::waits(Slot& slot) const {
  if (!slot.waits_since) slot.waits_since = clock_.steady();
  return clock_.steady() - *slot.waits_since < kLockLife;
}

/// Here, unless another node has done it or is at it.  An operator who demands a fetch gets one.
Task<> StsLookup::Impl::fetch(SlotPtr slot) {
  slot->entry.fetching = true;
  slot->changed.notify();
  FetchPlan plan = slot->entry.fetch_plan(clock_);
  const bool awaited = plan.awaited || slot->demanded;
  bool settled = false;
  if (!slot->demanded) {
    Elsewhere other = co_await store_.elsewhere(slot->domain, std::move(plan));
    settled = other.under_way && waits(*slot);
    if (other.policy) settled = co_await take_over(slot, std::move(*other.policy));
  }
  if (!settled) co_await fetch_here(slot, awaited);
  slot->entry.fetching = false;
}

Task<bool> StsLookup::Impl::take_over(SlotPtr slot, StoredPolicy policy) {
  Result<StsPolicy> parsed = parse_sts_policy(policy.body);
  if (!parsed) co_return false;
  ++report_.counters.taken_over;
  slot->waits_since.reset();
  slot->outcome = Refreshed::good;
  const auto& stored = slot->entry.memory().policy;
  std::string old_id = stored ? stored->id : std::string();
  StsChange change = slot->entry.apply_elsewhere(std::move(policy), std::move(*parsed), clock_);
  co_await keep(slot, std::move(change), std::move(old_id));
  co_return true;
}

Task<> StsLookup::Impl::fetch_here(SlotPtr slot, bool awaited) {
  ++report_.counters.fetches;
  slot->waits_since.reset();
  if (!awaited) ++report_.counters.refreshes;
  Fetched fetched = co_await fetcher_.fetch(slot->domain);
  slot->unreachable_at.reset();
  if (fetched) {
    health_.note_reached();
    co_await accept(slot, std::move(*fetched));
  } else {
    judge_failure(slot, fetched.error());
  }
}

Task<> StsLookup::Impl::accept(SlotPtr slot, FetchedBody body) {
  Result<StsPolicy> policy = parse_sts_policy(body.body);
  if (!policy) {
    refuse(slot, "sts-policy-invalid", "invalid policy: " + policy.error());
    co_return;
  }
  slot->outcome = Refreshed::good;
  const auto& stored = slot->entry.memory().policy;
  std::string old_id = stored ? stored->id : std::string();
  StsChange change = slot->entry.apply_fetched(body, std::move(*policy), clock_);
  co_await keep(slot, std::move(change), std::move(old_id));
}

Task<> StsLookup::Impl::keep(SlotPtr slot, StsChange change, std::string old_id) {
  const auto now = clock_.wall();
  report_.fetched(*slot, change, old_id);
  // The memory of first contact is durable before the first answer that relies on it.
  slot->saving = true;
  const std::string problem =
      co_await saver_.save_now(slot, limits_.store_wait, shared_from_this());
  slot->saving = false;
  if (!problem.empty()) report_.not_durable(*slot, problem);
  if (change.deleted) store_.taken_back(slot->domain, now);
}

void StsLookup::Impl::judge_failure(const SlotPtr& slot, const FetchFailure& failure) {
  const auto now = clock_.steady();
  const bool own = failure.problem == FetchProblem::own;
  if (closed_) return;  // cut off by our own end: no verdict on anybody
  const bool no_connection =
      failure.problem == FetchProblem::connect && !failure.unreachable.empty();
  if (no_connection) {
    slot->unreachable_at = now;
    health_.note_unreachable(slot->domain.text(), failure.unreachable, now);
  } else if (proves_connection(failure.problem)) {
    health_.note_reached();
  }
  const bool alone = no_connection && health_.looks_broken(now);
  if (!own && !alone) return refuse(slot, tlsrpt_type(failure.problem), failure.text);
  std::string cause = failure.text;
  if (alone) cause += " (no policy host is reachable: is it our own network?)";
  slot->outcome = Refreshed::own_fault;
  report_.own_fault(*slot, cause);
  [[maybe_unused]] const StsFailure none = slot->entry.apply_failure(cause, true, clock_);
}

void StsLookup::Impl::refuse(const SlotPtr& slot, std::string_view type, const std::string& text) {
  slot->outcome = Refreshed::failed;
  const StsFailure failure = slot->entry.apply_failure(text, false, clock_);
  report_.failed(*slot, failure, type, text);
  save_later(slot);
}

/// When the domain wants attention, asked for or not, before the refresher may come round.
std::optional<Steady> StsLookup::Impl::wanted_at(const Slot& slot) const {
  const auto now = clock_.steady();
  std::optional<Steady> due = slot.entry.second_fetch();
  const auto add = [&due](Steady when) { due = due ? std::min(*due, when) : when; };
  const bool asked_lately = slot.last_question && now - *slot.last_question < kRetryAfterQuestion;
  if (slot.entry.txt() == TxtState::failed && asked_lately) {
    add(now + txt_retry_pause(slot.entry.memory().txt_errors.count));
  }
  if (slot.waits_since && *slot.waits_since + kLockLife > now) add(*slot.waits_since + kLockLife);
  const auto refresh = slot.entry.refresh_at();
  const bool soon = refresh && *refresh > now && *refresh < now + kSoon;
  if (soon && !is_abandoned(slot.entry.memory(), clock_.wall())) add(*refresh);
  return due;
}

void StsLookup::Impl::schedule(const SlotPtr& slot) {
  const std::optional<Steady> due = wanted_at(*slot);
  if (!due || slot->due == due) return;
  slot->due = due;
  agenda_.emplace(*due, slot->domain.text());
}

void StsLookup::Impl::tick() {
  watch_wall_clock();
  const auto now = clock_.steady();
  while (!agenda_.empty() && agenda_.begin()->first <= now) {
    const auto [due, name] = *agenda_.begin();
    agenda_.erase(agenda_.begin());
    const SlotPtr slot = slots_.find(name);
    if (!slot || slot->due != due) continue;
    slot->due.reset();
    start(slot);
  }
}

/// Lives count on the steady clock, so nothing in memory changes.  Ages in the store are doubtful:
/// what they say is due is spread as after a start, and fetched before it is given up.
void StsLookup::Impl::watch_wall_clock() {
  const auto ahead = clock_.wall().time_since_epoch() - whole(clock_.steady());
  const auto jump = ahead - wall_ahead_;
  wall_ahead_ = ahead;
  if (std::chrono::abs(jump) <= kClockJump) return;
  started_ = clock_.steady();
  log(Severity::alarm, "clock_jumped", {{"seconds", std::to_string(jump.count())}});
}

Task<StsView> StsLookup::Impl::view(Domain domain, bool ask_txt) {
  const auto self = shared_from_this();
  std::vector<std::string> records;
  const auto owner = domain.below("_mta-sts");
  if (ask_txt && owner) {
    DnsQuestion question{*owner, RrType::txt, domain.text()};
    DnsReply reply = co_await resolver_.ask(std::move(question));
    records = std::move(reply.txt);
  }
  const SlotPtr slot = slots_.find(domain.text());
  StsView view;
  if (slot && slot->loaded) view = slot->entry.view(clock_);
  view.txt_records = std::move(records);
  co_return view;
}

Task<StsSight> StsLookup::Impl::look_again(Domain domain) {
  const auto self = shared_from_this();
  const SlotPtr slot = slots_.quiet(domain);
  co_await load(slot);
  if (!slot->in_flight) slots_.landed(slot, false);
  if (!slot->loaded) {
    StsSight unknown{finding(*slot), {}};
    co_return unknown;
  }
  auto looking = sealane::look_again(slot->entry, domain, resolver_, fetcher_, clock_, health_);
  StsSight sight = co_await std::move(looking);
  co_return sight;
}

Task<Refreshed> StsLookup::Impl::refresh(Domain domain) {
  const auto self = shared_from_this();
  const SlotPtr slot = slots_.quiet(domain);
  start(slot);
  while (slot->in_flight && !closed_) co_await slot->changed.wait_until(Deadline::max());
  co_return slot->loaded ? slot->outcome : Refreshed::own_fault;
}

Task<> StsLookup::Impl::forget(Domain domain) {
  const auto self = shared_from_this();
  const SlotPtr slot = slots_.find(domain.text());
  if (slot && (slot->in_flight || slot->entry.has_policy(clock_))) co_return;
  if (slot) slots_.drop(slot);
  troubles_.erase(domain);
  const Result<void> gone = co_await store_.erase(domain);
  if (gone) report_.forgotten(domain);
  if (!gone) log(Severity::warning, "store_failed", {{"cause", gone.error()}});
}

void StsLookup::Impl::close() {
  closed_ = true;
  slots_.for_each([](Slot& slot) { slot.changed.notify(); });
}

StsLookup::StsLookup(boost::asio::any_io_executor lookup, Resolver& resolver,
                     PolicyFetcher& fetcher, PolicyStore& store, const Clock& clock,
                     StsLimits limits, EventSink* events)
    : impl_(std::make_shared<Impl>(std::move(lookup), resolver, fetcher, store, clock, limits,
                                   events)) {}
StsLookup::~StsLookup() = default;
Task<StsFinding> StsLookup::find(Domain domain, Deadline deadline) {
  return impl_->find(std::move(domain), deadline);
}
Task<StsFinding> StsLookup::find_known(Domain domain) {
  return impl_->find_known(std::move(domain));
}
Task<StsView> StsLookup::view(Domain domain, bool ask_txt) {
  return impl_->view(std::move(domain), ask_txt);
}
Task<StsSight> StsLookup::look_again(Domain domain) { return impl_->look_again(std::move(domain)); }
Task<Refreshed> StsLookup::refresh(Domain domain) { return impl_->refresh(std::move(domain)); }
Task<> StsLookup::forget(Domain domain) { return impl_->forget(std::move(domain)); }
bool StsLookup::has_room_for_refresh() const { return impl_->has_room_for_refresh(); }
StsEntry::Steady StsLookup::started() const { return impl_->started(); }
void StsLookup::tick() { impl_->tick(); }
void StsLookup::close() { impl_->close(); }
const StsCounters& StsLookup::counters() const { return impl_->counters(); }
StsOperator& StsLookup::operations() { return impl_->operations(); }
StsTroubles& StsLookup::troubles() { return impl_->troubles(); }

}  // namespace sealane

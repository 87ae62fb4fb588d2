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
#include "lookup/sts_fetching.h"
#include "lookup/sts_operator.h"
#include "lookup/sts_saver.h"
#include "lookup/sts_slots.h"
#include "lookup/sts_troubles.h"
#include "lookup/sts_txt.h"

namespace sealane {
namespace {

using Steady = StsEntry::Steady;
using Slot = StsSlot;
using SlotPtr = StsSlotPtr;

/// For how long after the last question the daemon repeats a failing TXT lookup by itself.
constexpr std::chrono::hours kRetryAfterQuestion{1};

}  // namespace

class StsLookup::Impl : public std::enable_shared_from_this<StsLookup::Impl> {
 public:
  Impl(boost::asio::any_io_executor lookup, Resolver& resolver, PolicyFetcher& fetcher,
       PolicyStore& store, const Clock& clock, StsLimits limits, EventSink* events,
       TlsrptReporter* tlsrpt)
      : lookup_(std::move(lookup)),
        resolver_(resolver),
        fetcher_(fetcher),
        store_(store),
        clock_(clock),
        limits_(limits),
        report_(clock, events, tlsrpt),
        saver_(lookup_, store),
        slots_(limits.max_domains, limits.max_octets),
        fetching_(fetcher, store, clock, health_, saver_, report_, limits.store_wait,
                  [this] { return shared_from_this(); }),
        operator_(slots_, saver_, troubles_, store, clock, operator_work()),
        started_(clock.steady()),
        wall_ahead_(clock.wall().time_since_epoch() - whole(started_)) {}

  Task<StsFinding> find(Domain domain, Deadline deadline, AskedFor whom);
  Task<StsFinding> find_known(Domain domain);
  Task<StsView> view(Domain domain, bool ask_txt);
  Task<StsSight> look_again(Domain domain);
  Task<Refreshed> refresh(Domain domain);
  Task<> forget(Domain domain);
  bool has_room_for_refresh() const { return fetching_.has_room_for_refresh(); }
  void tick();
  void close();
  const StsCounters& counters() const { return report_.counters; }
  bool is_all_stored() const {
    bool stored = true;
    slots_.for_each([&stored](const StsSlot& slot) { stored = stored && !slot.unsaved; });
    return stored;
  }
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
  StsFetching fetching_;
  StsOperator operator_;
  std::multimap<Steady, std::string> agenda_;
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

Task<StsFinding> StsLookup::Impl::find(Domain domain, Deadline deadline, AskedFor whom) {
  const auto self = shared_from_this();
  const SlotPtr slot = slots_.asked(domain);
  slot->last_question = clock_.steady();
  slot->unnoted_question = true;
  if (whom != AskedFor::people) slot->mail_waits = true;
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
    co_await fetching_.look_elsewhere(slot);
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
      co_await fetching_.fetch_if_due(slot);
    }
  } catch (const std::exception& e) {
    slot->entry.fetching = false;
    log(Severity::error, "internal_error", {{"where", "sts lookup"}, {"what", e.what()}});
  }
  slot->in_flight = false;
  slot->mail_waits = false;
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
  auto asking = ask_sts_txt(resolver_, slot->domain);
  const DnsReply reply = co_await std::move(asking);
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
  if (ask_txt) {
    auto asking = ask_sts_txt(resolver_, domain);
    DnsReply reply = co_await std::move(asking);
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
  fetching_.close();
  slots_.for_each([](Slot& slot) { slot.changed.notify(); });
}

StsLookup::StsLookup(boost::asio::any_io_executor lookup, Resolver& resolver,
                     PolicyFetcher& fetcher, PolicyStore& store, const Clock& clock,
                     StsLimits limits, EventSink* events, TlsrptReporter* tlsrpt)
    : impl_(std::make_shared<Impl>(std::move(lookup), resolver, fetcher, store, clock, limits,
                                   events, tlsrpt)) {}
StsLookup::~StsLookup() = default;
Task<StsFinding> StsLookup::find(Domain domain, Deadline deadline, AskedFor whom) {
  return impl_->find(std::move(domain), deadline, whom);
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
bool StsLookup::is_all_stored() const { return impl_->is_all_stored(); }
const StsCounters& StsLookup::counters() const { return impl_->counters(); }
StsOperator& StsLookup::operations() { return impl_->operations(); }
StsTroubles& StsLookup::troubles() { return impl_->troubles(); }

}  // namespace sealane

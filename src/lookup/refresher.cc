// SPDX-License-Identifier: Apache-2.0
#include "lookup/refresher.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "base/log.h"
#include "lookup/freshness.h"
#include "lookup/refresh_plan.h"
#include "lookup/waiting.h"

namespace sealane {
namespace {

using std::chrono::seconds;
using std::chrono::sys_seconds;
using Steady = StsEntry::Steady;

}  // namespace

class Refresher::Impl : public std::enable_shared_from_this<Refresher::Impl> {
 public:
  Impl(boost::asio::any_io_executor lookup, StsLookup& sts, PolicyStore& store, const Clock& clock,
       RefresherLimits limits)
      : lookup_(std::move(lookup)), sts_(sts), store_(store), clock_(clock), limits_(limits) {}

  void tick();
  void close() { closed_ = true; }
  const RefresherCounters& counters() const { return counters_; }
  std::size_t agenda() const { return agenda_.size(); }

 private:
  struct Due {
    Steady when;
    Domain domain;
    friend auto operator<=>(const Due&, const Due&) = default;
  };

  void begin_due();
  Task<> walk();
  Task<bool> read_page();
  void note(const Domain& domain, const StsMemory& memory);
  void put_down(const Domain& domain, Steady when);
  Task<> refresh(Domain domain);
  Task<> forget(Domain domain);

  boost::asio::any_io_executor lookup_;
  StsLookup& sts_;
  PolicyStore& store_;
  const Clock& clock_;
  const RefresherLimits limits_;
  RefresherCounters counters_;
  std::set<Due> agenda_;
  std::map<Domain, Steady> noted_;  ///< the same by name
  std::set<Domain> under_way_;
  std::string after_;  ///< the last name the walk has seen
  std::optional<Steady> walk_began_;
  Steady horizon_{};  ///< what is due later is for the next walk
  Steady next_walk_{};
  seconds walk_took_{0};
  bool walking_ = false;
  Steady rest_until_{};  ///< our own network is broken
  bool closed_ = false;
};

void Refresher::Impl::tick() {
  if (closed_) return;
  begin_due();
  const bool wait = !walk_began_ && clock_.steady() < next_walk_;
  if (walking_ || wait || agenda_.size() >= kMaxAgenda) return;
  walking_ = true;
  spawn_detached(lookup_, walk(), "refresher");
}

void Refresher::Impl::begin_due() {
  const Steady now = clock_.steady();
  if (now < rest_until_) return;
  while (!agenda_.empty() && agenda_.begin()->when <= now) {
    if (under_way_.size() >= kMaxRefreshes || !sts_.has_room_for_refresh()) return;
    const Domain domain = agenda_.begin()->domain;
    agenda_.erase(agenda_.begin());
    noted_.erase(domain);
    if (!under_way_.insert(domain).second) continue;
    spawn_detached(lookup_, refresh(domain), "refresh of " + domain.text());
  }
}

Task<> Refresher::Impl::walk() {
  const auto self = shared_from_this();
  const Steady now = clock_.steady();
  if (!walk_began_) {
    walk_began_ = now;
    after_.clear();
  }
  horizon_ = now + 2 * std::max(limits_.walk_every, walk_took_);
  bool more = true;
  for (std::size_t rows = 0; more && rows < kRowsPerTick && !closed_; rows += kPageRows) {
    more = co_await read_page();
  }
  walking_ = false;
  if (more) co_return;
  ++counters_.walks;
  walk_took_ = std::chrono::duration_cast<seconds>(clock_.steady() - *walk_began_);
  next_walk_ = *walk_began_ + limits_.walk_every;
  walk_began_.reset();
}

/// False at the end of the store, or when it cannot be read: the next walk tries again.
Task<bool> Refresher::Impl::read_page() {
  const auto page = co_await store_.walk(after_, kPageRows);
  if (!page) {
    log(Severity::error, "store_failed", {{"where", "refresher"}, {"cause", page.error()}});
    co_return false;
  }
  for (const auto& [domain, memory] : *page) note(domain, memory);
  if (page->size() < kPageRows) co_return false;
  after_ = page->back().first.text();
  co_return true;
}

void Refresher::Impl::note(const Domain& domain, const StsMemory& memory) {
  sts_.troubles().learn(domain, memory);
  const Steady now = clock_.steady();
  const auto running = std::chrono::duration_cast<seconds>(now - sts_.started());
  const RefreshPlan plan = plan_of(domain, memory, clock_.wall(), running);
  if (plan.need == RefreshNeed::nothing || now + plan.wait > horizon_) return;
  if (plan.need == RefreshNeed::fetch)
    return put_down(domain, now + std::max(plan.wait, seconds{0}));
  if (plan.wait <= seconds{0}) spawn_detached(lookup_, forget(domain), "forget " + domain.text());
}

/// What waits for room keeps its place in line.
void Refresher::Impl::put_down(const Domain& domain, Steady when) {
  const auto [known, fresh] = noted_.try_emplace(domain, when);
  if (!fresh && known->second <= clock_.steady()) return;
  if (!fresh) agenda_.erase(Due{known->second, domain});
  known->second = when;
  agenda_.insert(Due{when, domain});
}

Task<> Refresher::Impl::refresh(Domain domain) {
  const auto self = shared_from_this();
  const Refreshed outcome = co_await sts_.refresh(domain);
  under_way_.erase(domain);
  switch (outcome) {
    case Refreshed::not_due:
      break;
    case Refreshed::good:
      ++counters_.good;
      break;
    case Refreshed::failed:
      ++counters_.failed;
      break;
    case Refreshed::own_fault:
      rest_until_ = clock_.steady() + kOwnFaultRest;
      break;
  }
}

Task<> Refresher::Impl::forget(Domain domain) {
  const auto self = shared_from_this();
  ++counters_.forgotten;
  co_await sts_.forget(std::move(domain));
}

Refresher::Refresher(boost::asio::any_io_executor lookup, StsLookup& sts, PolicyStore& store,
                     const Clock& clock, RefresherLimits limits)
    : impl_(std::make_shared<Impl>(std::move(lookup), sts, store, clock, limits)) {}
Refresher::~Refresher() = default;
void Refresher::tick() { impl_->tick(); }
void Refresher::close() { impl_->close(); }
const RefresherCounters& Refresher::counters() const { return impl_->counters(); }
std::size_t Refresher::agenda() const { return impl_->agenda(); }

}  // namespace sealane

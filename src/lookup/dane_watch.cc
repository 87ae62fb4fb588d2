// SPDX-License-Identifier: Apache-2.0
#include "lookup/dane_watch.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "base/log.h"
#include "lookup/waiting.h"

namespace sealane {
namespace {

constexpr std::size_t kPageRows = 1'000;
/// Octets of association data shown of a record: enough to tell two digests apart.
constexpr std::size_t kShownData = 8;

/// How much the class protects; 0 = nothing is demanded.
int strength(DaneClass value) {
  switch (value) {
    case DaneClass::all:
      return 4;
    case DaneClass::mix:
      return 3;
    case DaneClass::enc:
      return 2;
    case DaneClass::ins:
      return 1;
    case DaneClass::d0:
    case DaneClass::null:
    case DaneClass::nx:
    case DaneClass::err:
    case DaneClass::fail:
      return 0;
  }
  return 0;
}

std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = 14695981039346656037U;  // FNV-1a
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
  return hash;
}

}  // namespace

std::string tlsa_text(const DaneFinding& finding) {
  std::vector<std::string> records;
  for (const HostFinding& host : finding.hosts) {
    for (const JudgedTlsa& judged : host.records) {
      // All octets count, not only those shown.
      records.push_back(fmt::format("{} {}#{:08x}", host.name, to_text(judged.record, kShownData),
                                    hash_of(to_text(judged.record)) & 0xffffffffU));
    }
  }
  std::sort(records.begin(), records.end());
  std::string text = fmt::format("{}", fmt::join(records, ", "));
  if (text.size() <= kMaxEventText) return text;
  return fmt::format("{} records, {:016x}", records.size(), hash_of(text));
}

class DaneWatch::Impl : public std::enable_shared_from_this<DaneWatch::Impl> {
 public:
  Impl(boost::asio::any_io_executor lookup, PolicyStore& store, const Clock& clock,
       EventSink& events)
      : lookup_(std::move(lookup)), store_(store), clock_(clock), events_(events) {}

  void start() { spawn_detached(lookup_, load(), "dane watch"); }
  void note(const NextHop& next_hop, const DaneFinding& finding);
  std::size_t watched() const { return known_.size(); }
  std::optional<DaneMemory> known(const Domain& domain) const;
  bool forget(const Domain& domain);

 private:
  Task<> load();
  Task<> keep(Domain domain, std::optional<DaneMemory> memory);
  void keep_later(const Domain& domain, std::optional<DaneMemory> memory);
  void compare(const Domain& domain, const DaneMemory& before, const DaneMemory& now);
  void tell(const Domain& domain, EventKind kind, Severity severity, std::string_view event,
            std::string old_value, std::string new_value);
  void make_room();

  boost::asio::any_io_executor lookup_;
  PolicyStore& store_;
  const Clock& clock_;
  EventSink& events_;
  std::map<Domain, DaneMemory> known_;
  std::chrono::sys_seconds last_pruned_{};
  bool loaded_ = false;
};

Task<> DaneWatch::Impl::load() {
  const auto self = shared_from_this();
  std::string after;
  for (;;) {
    const auto page = co_await store_.walk_dane(after, kPageRows);
    if (!page) {
      log(Severity::error, "store_failed", {{"where", "dane watch"}, {"cause", page.error()}});
      co_return;
    }
    known_.insert(page->begin(), page->end());
    if (page->size() < kPageRows || known_.size() >= kMaxDaneWatched) break;
    after = page->back().first.text();
  }
  loaded_ = true;
}

void DaneWatch::Impl::note(const NextHop& next_hop, const DaneFinding& finding) {
  if (!loaded_ || !next_hop.mx_lookup || !next_hop.has_sts() || finding.own_fault) return;
  const DaneClass value = classify(finding);
  if (value == DaneClass::err || value == DaneClass::fail) return;
  const DaneMemory now{value, tlsa_text(finding), clock_.wall()};
  const auto found = known_.find(next_hop.domain);
  if (found == known_.end()) {
    if (strength(value) == 0) return;
    make_room();
    if (known_.size() >= kMaxDaneWatched) return;
    known_.emplace(next_hop.domain, now);
    return keep_later(next_hop.domain, now);
  }
  const DaneMemory before = found->second;
  compare(next_hop.domain, before, now);
  if (strength(value) == 0) {
    known_.erase(found);
    return keep_later(next_hop.domain, std::nullopt);
  }
  const bool same = before.value == now.value && before.tlsa == now.tlsa;
  if (same && now.seen - before.seen < kDaneSeenPrecision) return;
  found->second = now;
  keep_later(next_hop.domain, now);
}

void DaneWatch::Impl::compare(const Domain& domain, const DaneMemory& before,
                              const DaneMemory& now) {
  if (strength(now.value) == 0) {
    return tell(domain, EventKind::tlsa_vanished, Severity::warning, "tlsa_vanished", before.tlsa,
                std::string(name_of(now.value)));
  }
  if (before.value != now.value) {
    const bool weaker = strength(now.value) < strength(before.value);
    return tell(domain, EventKind::dane_changed, weaker ? Severity::warning : Severity::notice,
                "dane_changed", std::string(name_of(before.value)),
                std::string(name_of(now.value)));
  }
  if (before.tlsa == now.tlsa) return;
  tell(domain, EventKind::tlsa_changed, Severity::info, "tlsa_changed", before.tlsa, now.tlsa);
}

void DaneWatch::Impl::tell(const Domain& domain, EventKind kind, Severity severity,
                           std::string_view event, std::string old_value, std::string new_value) {
  log(severity, event, {{"domain", domain.text()}, {"before", old_value}, {"now", new_value}});
  events_.note(Event{clock_.wall(), domain, kind, severity, "found by a question for the domain",
                     std::move(old_value), std::move(new_value)});
}

/// Looks for what can go once a day at most: it looks at everything.
void DaneWatch::Impl::make_room() {
  const auto now = clock_.wall();
  if (known_.size() < kMaxDaneWatched || now - last_pruned_ < kDaneSeenPrecision) return;
  last_pruned_ = now;
  std::vector<Domain> old;
  for (const auto& [domain, memory] : known_) {
    if (now - memory.seen > kDaneUnseen) old.push_back(domain);
  }
  for (const Domain& domain : old) {
    known_.erase(domain);
    keep_later(domain, std::nullopt);
  }
}

std::optional<DaneMemory> DaneWatch::Impl::known(const Domain& domain) const {
  const auto found = known_.find(domain);
  return found == known_.end() ? std::nullopt : std::optional<DaneMemory>(found->second);
}

bool DaneWatch::Impl::forget(const Domain& domain) {
  const bool was_there = known_.erase(domain) > 0;
  if (was_there) keep_later(domain, std::nullopt);
  return was_there;
}

void DaneWatch::Impl::keep_later(const Domain& domain, std::optional<DaneMemory> memory) {
  spawn_detached(lookup_, keep(domain, std::move(memory)), "dane watch");
}

Task<> DaneWatch::Impl::keep(Domain domain, std::optional<DaneMemory> memory) {
  const auto self = shared_from_this();
  const Result<void> kept = co_await store_.put_dane(domain, std::move(memory));
  if (kept) co_return;
  log(Severity::warning, "store_failed", {{"domain", domain.text()}, {"cause", kept.error()}});
}

DaneWatch::DaneWatch(boost::asio::any_io_executor lookup, PolicyStore& store, const Clock& clock,
                     EventSink& events)
    : impl_(std::make_shared<Impl>(std::move(lookup), store, clock, events)) {}
DaneWatch::~DaneWatch() = default;
void DaneWatch::start() { impl_->start(); }
void DaneWatch::note(const NextHop& next_hop, const DaneFinding& finding) {
  impl_->note(next_hop, finding);
}
std::size_t DaneWatch::watched() const { return impl_->watched(); }
std::optional<DaneMemory> DaneWatch::known(const Domain& domain) const {
  return impl_->known(domain);
}
bool DaneWatch::forget(const Domain& domain) { return impl_->forget(domain); }

}  // namespace sealane

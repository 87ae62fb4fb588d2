// SPDX-License-Identifier: Apache-2.0
#include "lookup/event_log.h"

#include <utility>

#include "base/log.h"
#include "lookup/waiting.h"

namespace sealane {
namespace {

void cut(std::string& text) {
  constexpr std::string_view kMark = "...";
  if (text.size() <= kMaxEventText) return;
  text.resize(kMaxEventText - kMark.size());
  text += kMark;
}

}  // namespace

class EventLog::Impl : public std::enable_shared_from_this<EventLog::Impl> {
 public:
  Impl(boost::asio::any_io_executor lookup, PolicyStore& store, EventSink* hook)
      : lookup_(std::move(lookup)), store_(store), hook_(hook) {}

  void note(Event event) {
    ++counters.kinds[static_cast<std::size_t>(event.kind)];
    cut(event.text);
    cut(event.old_value);
    cut(event.new_value);
    if (event.severity >= Severity::warning) {
      ++counters.warnings;
      if (hook_) hook_->note(event);
    }
    if (under_way_ >= kMaxEventsUnderWay) {
      ++counters.lost;
      return;
    }
    ++under_way_;
    spawn_detached(lookup_, keep(std::move(event)), "event");
  }

  EventCounters counters;

 private:
  Task<> keep(Event event) {
    const auto self = shared_from_this();
    const Result<void> kept = co_await store_.add_event(event);
    --under_way_;
    if (kept) co_return;
    ++counters.lost;
    log(Severity::warning, "event_lost",
        {{"domain", event.domain.text()},
         {"kind", std::string(name_of(event.kind))},
         {"cause", kept.error()}});
  }

  boost::asio::any_io_executor lookup_;
  PolicyStore& store_;
  EventSink* hook_;
  std::size_t under_way_ = 0;
};

EventLog::EventLog(boost::asio::any_io_executor lookup, PolicyStore& store, EventSink* hook)
    : impl_(std::make_shared<Impl>(std::move(lookup), store, hook)) {}
EventLog::~EventLog() = default;
void EventLog::note(const Event& event) { impl_->note(event); }
const EventCounters& EventLog::counters() const { return impl_->counters; }

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
// Takes in what happens to the domains: counts it, keeps it in the store, and passes what is less
// protected than before on to the operator's hook.
#pragma once

#include <array>
#include <boost/asio/any_io_executor.hpp>
#include <cstdint>
#include <memory>

#include "lookup/event.h"
#include "lookup/policy_store.h"

namespace sealane {

/// Events on their way to the store at most; what comes on top is counted and lost.
inline constexpr std::size_t kMaxEventsUnderWay = 1'000;

struct EventCounters {
  std::array<std::uint64_t, kEventKinds> kinds{};  ///< by EventKind
  std::uint64_t warnings = 0;                      ///< of severity warning or worse
  std::uint64_t lost = 0;                          ///< could not be stored
};

/// Lives on the lookup thread.
class EventLog : public EventSink {
 public:
  /// `hook`, which may be null, gets the events of severity warning or worse.
  EventLog(boost::asio::any_io_executor lookup, PolicyStore& store, EventSink* hook);
  ~EventLog() override;

  /// Texts are cut to kMaxEventText.
  void note(const Event& event) override;
  const EventCounters& counters() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
// Something that happened to a domain's protection and that its correspondents may want to know
// later: the history.  The log has the same and more, but is rotated.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/log.h"
#include "policy/domain.h"

namespace sealane {

/// The names are stable: they are stored, and others read them (docs/formats.md, "Events").
enum class EventKind {
  policy_new,      ///< the first policy known of this domain
  policy_changed,  ///< with a new id, not weaker
  policy_changed_without_new_id,
  policy_weaker,   ///< enforce before, testing or none now
  policy_expired,  ///< no good fetch before its end
  policy_deleted,  ///< max_age 0
  policy_not_durable,
  txt_vanished,  ///< or became invalid, while a policy is known
  txt_back,
  id_changed,
  fetch_failed,     ///< the first of a streak, or another cause than before
  refresh_failing,  ///< the third failure in a row
  refresh_failing_half,
  refresh_failing_fifth,
  dane_changed,  ///< the DANE class
  tlsa_changed,
  tlsa_vanished,
  policy_imported,  ///< an operator brought it along
  policy_purged,    ///< an operator threw it away
};
inline constexpr std::size_t kEventKinds = 19;
std::string_view name_of(EventKind kind);
std::optional<EventKind> event_kind_named(std::string_view name);

struct Event {
  std::chrono::sys_seconds time;
  Domain domain;
  EventKind kind;
  Severity severity;
  std::string text;       ///< one sentence, or the cause; escaped
  std::string old_value;  ///< what changed: mode, id, class, TLSA set; may be empty
  std::string new_value;
  friend bool operator==(const Event&, const Event&) = default;
};

/// Whoever wants to hear.  Called on the lookup thread; returns at once and never throws.
class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void note(const Event& event) = 0;
};

}  // namespace sealane

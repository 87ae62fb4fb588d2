// SPDX-License-Identifier: Apache-2.0
// The domains that StsLookup has in memory, bounded: those asked for least lately go first.  They
// stay in the store; what the store has not taken yet stays in memory (kMaxUnsaved).  A domain that
// is only refreshed takes nobody's place.
#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "lookup/sts_entry.h"
#include "lookup/waiting.h"
#include "policy/domain.h"

namespace sealane {

/// The time of the last question is written to the store this seldom.
inline constexpr std::chrono::hours kAskedPrecision{24};

/// Domains that go beyond max_domains because the store has not taken yet what is known of them;
/// with a disk that is full for long, the oldest of them go after all.
inline constexpr std::size_t kMaxUnsaved = 4096;

/// How a refresh ended.
enum class Refreshed {
  not_due,    ///< nothing was fetched
  good,       ///< a policy was fetched
  failed,     ///< at the other side
  own_fault,  ///< because of us: no use to try others now
};

struct StsSlot {
  explicit StsSlot(Domain name) : domain(std::move(name)), entry(spread_of(domain.text())) {}

  Domain domain;
  StsEntry entry;
  bool loaded = false;
  std::string load_error;  ///< the store could not say: our fault
  bool in_flight = false;
  bool txt_done = false;                   ///< of the flight under way
  bool saving = false;                     ///< the answer waits for the store
  bool kept = false;                       ///< the store has a row
  bool unsaved = false;                    ///< the store lacks the last write: memory knows more
  std::size_t octets = 0;                  ///< as counted by StsSlots
  Refreshed outcome = Refreshed::not_due;  ///< of the last flight
  Signal changed;
  std::optional<StsEntry::Steady> last_question;
  std::optional<StsEntry::Steady> unreachable_at;  ///< the last fetch found no connection
  bool unnoted_question = false;                   ///< since the memory's `asked` was looked at
  bool mail_waits = false;                         ///< for the flight under way
  bool demanded = false;                           ///< an operator waits for a fetch
  bool purged = false;  ///< by an operator: nothing of it is to be stored any more
  std::optional<StsEntry::Steady> due;
  std::optional<StsEntry::Steady> waits_since;  ///< for another node's fetch
  std::optional<StsEntry::Steady> vanished_warning;
  std::optional<std::list<std::string>::iterator> recency;  ///< absent: only refreshed
};
using StsSlotPtr = std::shared_ptr<StsSlot>;

/// One thread.
class StsSlots {
 public:
  StsSlots(std::size_t max_domains, std::size_t max_octets)
      : max_domains_(max_domains), max_octets_(max_octets) {}

  /// For a question: the domain becomes the one asked for last.
  StsSlotPtr asked(const Domain& domain);
  /// For a refresh.
  StsSlotPtr quiet(const Domain& domain);
  /// Null if the domain is not in memory.
  StsSlotPtr find(const std::string& domain) const;

  /// The entry has grown or shrunk.
  void recount(const StsSlotPtr& slot);
  /// A flight has ended.  What was only refreshed goes, unless `wanted` soon again.
  void landed(const StsSlotPtr& slot, bool wanted);
  void drop(const StsSlotPtr& slot);

  std::size_t size() const { return slots_.size(); }
  template <class Visit>
  void for_each(Visit visit) const {
    for (const auto& [name, slot] : slots_) visit(*slot);
  }

 private:
  bool is_full(std::size_t more = 0) const {
    return recency_.size() > max_domains_ + more || octets_ > max_octets_;
  }
  void evict();
  void evict_saved();
  void evict_unsaved();
  bool holds(const StsSlotPtr& slot) const { return find(slot->domain.text()) == slot; }

  const std::size_t max_domains_;
  const std::size_t max_octets_;
  std::unordered_map<std::string, StsSlotPtr> slots_;
  std::list<std::string> recency_;  ///< front: asked for last
  std::size_t octets_ = 0;
  bool told_of_loss_ = false;
};

}  // namespace sealane

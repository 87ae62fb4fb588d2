// SPDX-License-Identifier: Apache-2.0
// What an operator may do to the memory of MTA-STS policies: ask for a domain ahead of its mail,
// look at it anew, forget it, bring a policy along.  A part of StsLookup.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/task.h"
#include "lookup/clock.h"
#include "lookup/policy_store.h"
#include "lookup/sts_saver.h"
#include "lookup/sts_slots.h"
#include "lookup/sts_troubles.h"
#include "lookup/waiting.h"
#include "policy/sts_finding.h"

namespace sealane {

/// How long an import waits for a lookup of the same domain that is under way.
inline constexpr std::chrono::seconds kImportPatience{20};
/// A policy that was fetched so much later than now was fetched by a wrong clock.
inline constexpr std::chrono::minutes kImportClockSlack{5};

/// What came of a look.
struct StsLook {
  bool known = false;  ///< a policy was there before
  Refreshed outcome = Refreshed::not_due;
  StsFinding finding;
};

/// What was forgotten.
struct StsPurged {
  bool known = false;           ///< anything at all was
  std::optional<StsMode> mode;  ///< of a policy that could be used
  std::optional<std::chrono::sys_seconds> expires;
};

struct StsImport {
  Domain domain;
  StoredPolicy policy;
  std::optional<std::chrono::sys_seconds> asked;  ///< absent: now
  bool only_new = false;  ///< not in the place of any policy: `fetched` may be later than the body
};

enum class Imported {
  taken,
  not_newer,    ///< what is known was fetched later
  weaker,       ///< what is known protects more
  shorter,      ///< what is known lasts longer
  known,        ///< there is a policy, and only a new one was to be taken
  expired,      ///< over already
  from_future,  ///< fetched by a clock that was wrong
  invalid,      ///< no policy
  busy,         ///< a lookup of the domain is under way; later it may go
  not_stored,   ///< the store does not work
};
std::string_view name_of(Imported outcome);

/// Lives on the lookup thread, as long as the StsLookup or any work of it.
class StsOperator {
 public:
  /// The work of StsLookup that is needed here.
  struct Work {
    std::function<std::shared_ptr<void>()> owner;  ///< to be held until the work is done
    std::function<Task<>(StsSlotPtr)> load;
    std::function<void(const StsSlotPtr&)> start;
    std::function<StsFinding(const StsSlot&)> finding;
    std::function<std::chrono::steady_clock::time_point()> started;
    std::chrono::milliseconds store_wait{0};
  };

  StsOperator(StsSlots& slots, StsSaver& saver, StsTroubles& troubles, PolicyStore& store,
              const Clock& clock, Work work)
      : slots_(slots),
        saver_(saver),
        troubles_(troubles),
        store_(store),
        clock_(clock),
        work_(std::move(work)) {}

  /// As if mail came: a domain without a policy is looked up, and is kept fresh from now on.  One
  /// with a policy is only marked as asked for.
  Task<StsLook> ask_ahead(Domain domain);
  /// Looks at TXT and policy now, unless the policy was fetched within the last minute.
  Task<StsLook> look_now(Domain domain);
  /// Forgets all of the domain, in memory and store.  Fails if the store does.
  Task<Result<StsPurged>> purge(Domain domain);
  /// Takes a policy, never in the place of one that protects more, lasts longer or is newer.  One
  /// that has run out, but was not fetched anew yet, counts too.
  /// Returns when it is durable.
  Task<Imported> import(StsImport what);
  /// What is known, in memory or else in the store.
  Task<Result<std::optional<StsMemory>>> peek(Domain domain);

 private:
  Task<StsSlotPtr> slot_of(Domain domain, Deadline until);
  Task<> fly(StsSlotPtr slot);
  void release(const StsSlotPtr& slot);
  std::optional<Imported> objection(const StsEntry& entry, const StsPolicy& policy,
                                    const StoredPolicy& offered) const;

  StsSlots& slots_;
  StsSaver& saver_;
  StsTroubles& troubles_;
  PolicyStore& store_;
  const Clock& clock_;
  const Work work_;
};

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
// One domain in the memory of StsLookup, and the rules about it: what class it has now, whether a
// fetch is due, what a TXT answer or a fetch changes.  Rules only: no I/O, no waiting, no logging.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "lookup/clock.h"
#include "lookup/policy_fetcher.h"
#include "lookup/policy_store.h"
#include "lookup/resolver.h"
#include "policy/sts_finding.h"

namespace sealane {

/// A definite "no record" stands in for a TXT error this long.
inline constexpr std::chrono::hours kNoneLife{24};
/// A fetched policy is used at least this long, whatever its max_age.
inline constexpr std::chrono::seconds kMinPolicyLife{300};
/// A policy is fetched anew after a day, or at half its life if it lives less than two.
inline constexpr std::chrono::hours kRefreshAfter{24};
inline constexpr std::chrono::hours kShortLife{48};
/// Publishers change the TXT record first and the policy a little later: look twice.
inline constexpr std::chrono::minutes kSecondFetch{10};
/// At most one fetch of a domain in this time, whatever its ids do.
inline constexpr std::chrono::minutes kFetchSpacing{1};
/// Back-off after failed fetches, without and with a policy to go on with.
inline constexpr std::chrono::minutes kFirstBackoff{5};
inline constexpr std::chrono::minutes kMaxBackoff{15};
inline constexpr std::chrono::hours kMaxRefreshBackoff{6};
/// After a failure of our own the next question may try again this soon.
inline constexpr std::chrono::seconds kOwnFaultPause{10};

enum class TxtState { unknown, own_fault, failed, none, several, invalid, valid };

/// What a step changed, for the log and the history.
struct StsChange {
  bool changed = false;
  bool weaker = false;          ///< enforce before, testing or none now
  bool without_new_id = false;  ///< changed although the id stayed
  bool deleted = false;         ///< max_age 0: used for kMinPolicyLife, then forgotten
};

class StsEntry {
 public:
  using Steady = std::chrono::steady_clock::time_point;

  StsEntry() = default;
  /// Takes over what the store knows.  A stored policy that can no longer be read is not "none":
  /// the domain is temporary until a good fetch replaces it.
  StsEntry(StsMemory memory, const Clock& clock);

  StsFinding finding(const Clock& clock) const;

  /// A policy that may be used now.
  bool has_policy(const Clock& clock) const;
  /// Time to fetch: a first contact, another id, a daily refresh, an expired policy.
  bool wants_fetch(const Clock& clock) const;
  /// The next answer should wait for the fetch: there is no policy, or the id is a new one.
  bool fetch_matters(const Clock& clock) const;

  void apply_txt(const DnsReply& reply, const Clock& clock);
  /// The outcome of a fetch that apply_txt() or the age of the policy asked for.
  StsChange apply_fetched(const FetchedBody& body, StsPolicy policy, const Clock& clock);
  /// A failed or invalid fetch.  True when it let an expired policy go.
  bool apply_failure(const std::string& text, bool own_fault, const Clock& clock);

  const StsMemory& memory() const { return memory_; }
  void note_asked(const Clock& clock) { memory_.asked = clock.wall(); }
  TxtState txt() const { return txt_; }
  const std::string& txt_problem() const { return txt_problem_; }
  const StsPolicy* policy() const { return policy_ ? &*policy_ : nullptr; }
  /// When the policy is to be looked at a second time after a new id.
  std::optional<Steady> second_fetch() const { return second_fetch_; }
  std::size_t octets() const;

  bool fetching = false;  ///< set by StsLookup around a fetch

 private:
  bool id_changed() const;
  bool refresh_due(const Clock& clock) const;
  bool expired_untried(const Clock& clock) const;
  void adopt(StsPolicy policy, std::chrono::seconds life, const Clock& clock);
  void drop_policy();
  StsFinding without_policy(const Clock& clock) const;
  std::chrono::seconds txt_ttl_left(const Clock& clock) const;

  StsMemory memory_;
  std::optional<StsPolicy> policy_;
  Steady policy_ends_{};  ///< life counts on the steady clock
  Steady policy_fetched_{};
  TxtState txt_ = TxtState::unknown;
  std::string txt_problem_;
  std::chrono::seconds txt_ttl_{0};
  Steady txt_at_{};
  std::optional<Steady> last_failure_;
  Steady next_fetch_{};                    ///< back-off after failures
  Steady fetch_allowed_{};                 ///< spacing between any two fetches
  std::optional<std::string> own_fault_;   ///< the last fetch failed because of us
  std::optional<std::string> unreadable_;  ///< why the stored policy cannot be read
  std::optional<Steady> second_fetch_;
};

}  // namespace sealane

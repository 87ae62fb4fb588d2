// SPDX-License-Identifier: Apache-2.0
// One domain in the memory of StsLookup, and the rules about it: what class it has now, whether a
// fetch is due, what a TXT answer or a fetch changes.  Rules only: no I/O, no waiting, no logging.
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "lookup/clock.h"
#include "lookup/freshness.h"
#include "lookup/policy_fetcher.h"
#include "lookup/policy_store.h"
#include "lookup/resolver.h"
#include "policy/sts_finding.h"

namespace sealane {

/// A definite "no record" stands in for a TXT error this long.
inline constexpr std::chrono::hours kNoneLife{24};
/// A fetched policy is used at least this long, whatever its max_age.
inline constexpr std::chrono::seconds kMinPolicyLife{300};
/// Publishers change the TXT record first and the policy a little later: look twice.
inline constexpr std::chrono::minutes kSecondFetch{10};
/// At most one fetch of a domain in this time, whatever its ids do.
inline constexpr std::chrono::minutes kFetchSpacing{1};
/// After a failure of our own the next question may try again this soon.
inline constexpr std::chrono::seconds kOwnFaultPause{10};

/// Changes of the policy this long after a new id are part of the same change.
inline constexpr std::chrono::hours kIdSettles{1};

/// An answer counts this long beyond its TTL: the next one is on its way.
inline constexpr std::chrono::seconds kTxtGrace{30};

enum class TxtState { unknown, own_fault, failed, none, several, invalid, valid };
std::string_view name_of(TxtState state);

struct StsView;

/// What a good fetch changed, for the log and the history.
struct StsChange {
  bool changed = false;
  bool weaker = false;            ///< enforce before, testing or none now
  bool without_new_id = false;    ///< changed although the id stayed
  bool deleted = false;           ///< max_age 0: used for kMinPolicyLife, then forgotten
  std::optional<StsMode> before;  ///< the mode of the policy that was replaced
};

/// What a failed fetch meant, for the same.
struct StsFailure {
  bool new_cause = false;  ///< the first of a streak, or with another text than before
  bool third = false;      ///< the third of a streak
  bool half = false;       ///< the first failure with less than half of the policy's life left
  bool fifth = false;      ///< the same, with less than 20 %
  std::optional<StsMode> expired;  ///< the mode of the policy that ended with it
};

/// What a TXT answer changed for a domain with a policy.
struct TxtChange {
  bool vanished = false;
  bool back = false;
  bool id_changed = false;
  std::string old_id;
};

class StsEntry {
 public:
  using Steady = std::chrono::steady_clock::time_point;

  /// `spread`: spread_of() the domain.
  explicit StsEntry(std::int64_t spread) : spread_(spread) {}
  /// Takes over what the store knows.  A stored policy that can no longer be read is not "none":
  /// the domain is temporary until a good fetch replaces it.  `started`: since when we run.
  StsEntry(std::int64_t spread, StsMemory memory, const Clock& clock, Steady started);

  StsFinding finding(const Clock& clock) const;

  /// Everything that is known and due, for people (lookup/sts_view.h).
  StsView view(const Clock& clock) const;

  /// A policy that may be used now.
  bool has_policy(const Clock& clock) const;
  /// Time to fetch: a first contact, another id, a daily refresh, an expired policy.
  bool wants_fetch(const Clock& clock) const;
  /// The next answer should wait for the fetch: there is no policy, or the id is a new one.
  bool fetch_matters(const Clock& clock) const;

  TxtChange apply_txt(const DnsReply& reply, const Clock& clock);
  /// The outcome of a fetch that apply_txt() or the age of the policy asked for.
  StsChange apply_fetched(const FetchedBody& body, StsPolicy policy, const Clock& clock);
  /// The same with a policy that another node has fetched, some time ago.
  StsChange apply_elsewhere(StoredPolicy stored, StsPolicy policy, const Clock& clock);
  /// The fetch that wants_fetch() asks for.
  FetchPlan fetch_plan(const Clock& clock) const;
  /// A failed or invalid fetch.
  StsFailure apply_failure(const std::string& text, bool own_fault, const Clock& clock);

  /// A policy is kept, though it may be past its end or beyond reading.
  bool has_stored() const { return policy_.has_value() || unreadable_.has_value(); }
  /// No policy, and no TXT record that names one.
  bool knows_nothing() const { return !has_stored() && txt_ != TxtState::valid; }
  /// The back-off was for a failure that was ours.
  void forgive_failure(const Clock& clock) { next_fetch_ = std::min(next_fetch_, clock.steady()); }

  const StsMemory& memory() const { return memory_; }
  /// A fetch is wanted as soon as the spacing allows it, whatever age and back-off say.
  void demand_fetch(const Clock& clock) {
    next_fetch_ = std::min(next_fetch_, clock.steady());
    refresh_at_ = std::min(refresh_at_, clock.steady());
  }
  void note_asked(const Clock& clock) { memory_.asked = clock.wall(); }
  TxtState txt() const { return txt_; }
  const std::string& txt_problem() const { return txt_problem_; }
  const StsPolicy* policy() const { return policy_ ? &*policy_ : nullptr; }
  /// When the policy is to be fetched anew, back-off included.
  std::optional<Steady> refresh_at() const;
  /// When the policy is to be looked at a second time after a new id.
  std::optional<Steady> second_fetch() const { return second_fetch_; }
  std::size_t octets() const;

  bool fetching = false;  ///< set by StsLookup around a fetch

 private:
  bool id_changed() const;
  void restore(const Clock& clock, Steady started);
  void read_txt(const DnsReply& reply, const Clock& clock);
  double life_left(const Clock& clock) const;
  void note_life_left(const ErrorStreak& before, StsFailure& failure, const Clock& clock) const;
  bool expired_untried(const Clock& clock) const;
  StsChange replace(StoredPolicy stored, StsPolicy policy, const Clock& clock);
  void adopt(StsPolicy policy, Steady fetched, std::chrono::seconds life);
  void drop_policy();
  StsFinding without_policy(const Clock& clock) const;
  std::chrono::seconds txt_ttl_left(const Clock& clock) const;

  std::int64_t spread_;
  StsMemory memory_;
  std::optional<StsPolicy> policy_;
  Steady policy_ends_{};  ///< life counts on the steady clock
  Steady policy_fetched_{};
  TxtState txt_ = TxtState::unknown;
  std::string txt_problem_;
  std::chrono::seconds txt_ttl_{0};
  Steady txt_at_{};
  std::optional<Steady> none_heard_;       ///< when a definite "no record" was heard last
  Steady txt_failure_kept_until_{};        ///< until then the resolver repeats the same failure
  Steady refresh_at_{};                    ///< by the age of the policy alone
  Steady next_fetch_{};                    ///< back-off after failures
  Steady fetch_allowed_{};                 ///< spacing between any two fetches
  std::optional<std::string> own_fault_;   ///< the last fetch failed because of us
  std::optional<std::string> unreadable_;  ///< why the stored policy cannot be read
  bool fetched_here_ = false;              ///< the policy is not from the store
  std::optional<Steady> second_fetch_;
  std::optional<Steady> new_id_at_;  ///< when a policy under a new id was fetched
};

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
#include "lookup/policy_finder.h"

#include <algorithm>
#include <boost/asio/this_coro.hpp>
#include <optional>
#include <utility>
#include <variant>

#include "base/log.h"
#include "lookup/verdict.h"
#include "lookup/waiting.h"

namespace sealane {
namespace {

/// Second looks at a time: each may hold a fetch and a hundred DNS questions, and none is for mail.
constexpr std::size_t kMaxLooksAgain = 16;
/// Lookups at a time that only observe; beyond it, an answer is given without one.
constexpr std::size_t kMaxObserved = 512;
/// What is known of MTA-STS by then is told before the whole answer is due.
constexpr std::chrono::milliseconds kHeadStart{500};

/// What has been found so far of one question.  The two lookups write, the question reads.
struct Progress {
  bool judges_hosts = true;  ///< false with dane=off: no host is asked for
  bool explains = false;     ///< what lies behind the STS finding is wanted
  bool fresh = false;        ///< what is known already will not do
  AskedFor whom = AskedFor::people;
  std::optional<DaneFinding> dane;
  std::optional<StsFinding> sts;
  std::optional<StsView> sts_view;
  Signal news;

  bool complete() const { return dane && sts; }
};
using ProgressPtr = std::shared_ptr<Progress>;

/// Counts a second look for as long as it runs.
class Counted {
 public:
  explicit Counted(std::size_t& count) : count_(count) { ++count_; }
  ~Counted() { --count_; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

 private:
  std::size_t& count_;
};

StsFinding no_sts(std::string reason) {
  StsFinding finding;
  finding.reason = std::move(reason);
  finding.ttl = std::chrono::hours{1};
  return finding;
}

}  // namespace

class PolicyFinder::Impl : public std::enable_shared_from_this<PolicyFinder::Impl> {
 public:
  Impl(DaneLookup& dane, StsLookup& sts, OverrideBook& overrides, DecisionSettings settings,
       DaneWatch* watch, TlsrptReporter* tlsrpt)
      : dane_(dane),
        sts_(sts),
        overrides_(overrides),
        settings_(settings),
        watch_(watch),
        tlsrpt_(tlsrpt) {}

  Task<Decision> find(PolicyQuestion question);
  Task<Explanation> explain(std::string key, bool live);

 private:
  Task<Decision> look(NextHop next_hop, PolicyQuestion question, OverrideRulePtr rule);
  Task<Decision> gather(NextHop next_hop, PolicyQuestion question, Override what);
  Task<> look_at_dane(NextHop next_hop, DaneFinding mx, ProgressPtr progress);
  Task<> look_at_sts(NextHop next_hop, MxStatus mx, Deadline deadline, ProgressPtr progress);
  Task<> find_all(NextHop next_hop, Deadline deadline, ProgressPtr progress);
  Task<> find_all_again(NextHop next_hop, Deadline deadline, ProgressPtr progress);
  Task<Look> look_closely(NextHop next_hop, Explanation explained, bool fresh);
  Task<> look_into(std::optional<Look>& look, NextHop next_hop, Explanation explained, bool fresh);
  Task<> observe(NextHop next_hop, PolicyQuestion question, OverrideRulePtr rule);
  DecisionInput input_of(const NextHop& next_hop, const PolicyQuestion& question,
                         const Override& what, const Progress& progress) const;
  Decision decide_now(const NextHop& next_hop, const PolicyQuestion& question, const Override& what,
                      const Progress& progress) const;
  /// The same when all is known: what mail is answered may be worth a report.
  Decision decide_and_tell(const NextHop& next_hop, const PolicyQuestion& question,
                           const Override& what, const Progress& progress) const;

  DaneLookup& dane_;
  StsLookup& sts_;
  OverrideBook& overrides_;
  DecisionSettings settings_;
  DaneWatch* watch_;
  TlsrptReporter* tlsrpt_;
  std::size_t looking_again_ = 0;
  std::size_t observing_ = 0;  ///< lookups behind an answer that was given already
};

Task<Decision> PolicyFinder::Impl::find(PolicyQuestion question) {
  const auto self = shared_from_this();
  const ParsedKey key = question.dialect == Dialect::requiretls ? parse_requiretls_key(question.key)
                                                                : parse_next_hop(question.key);
  if (const auto* none = std::get_if<NoNextHop>(&key)) co_return decide(*none);
  NextHop next_hop = std::get<NextHop>(key);
  // One rule for the whole question, whatever a reload brings meanwhile.
  const OverrideRulePtr rule = overrides_.find(next_hop.domain);
  const bool observes = settings_.observe || (rule && rule->override_.observe);
  if (!observes) co_return co_await look(std::move(next_hop), std::move(question), rule);

  // Observing never delays mail: answer at once, and let the log tell what would have been said.
  const auto executor = co_await boost::asio::this_coro::executor;
  if (observing_ < kMaxObserved) {
    spawn_detached(executor, observe(std::move(next_hop), std::move(question), rule), "observe");
  }
  if (rule) co_return observed_at_once(rule->override_);
  co_return observed_at_once();
}

Task<> PolicyFinder::Impl::observe(NextHop next_hop, PolicyQuestion question,
                                   OverrideRulePtr rule) {
  const auto self = shared_from_this();
  const std::string name = next_hop.text();
  ++observing_;
  const Decision decision =
      co_await look(std::move(next_hop), std::move(question), std::move(rule));
  --observing_;
  const Action action = decision.would_be.value_or(decision.action);
  log(Severity::info, "observed",
      {{"destination", name},
       {"would_be", std::string(name_of(action))},
       {"dane", std::string(name_of(decision.dane))},
       {"sts", std::string(name_of(decision.sts))},
       {"reason", decision.reason}});
}

Task<Decision> PolicyFinder::Impl::look(NextHop next_hop, PolicyQuestion question,
                                        OverrideRulePtr rule) {
  const auto self = shared_from_this();
  if (!rule) {
    Override none;
    co_return co_await gather(std::move(next_hop), std::move(question), std::move(none));
  }
  const std::string name = next_hop.text();
  const Dialect dialect = question.dialect;
  std::optional<Decision> fixed = fixed_at_once(rule->override_, dialect);
  Decision decision;
  if (fixed) {
    decision = *std::move(fixed);
  } else {
    decision = co_await gather(std::move(next_hop), std::move(question), rule->override_);
  }
  // No answer outlives the rule that it rests on.
  decision.ttl = std::min(decision.ttl, overrides_.left(*rule));
  overrides_.note_use(*rule, name, dialect, decision);
  co_return decision;
}

Task<Decision> PolicyFinder::Impl::gather(NextHop next_hop, PolicyQuestion question,
                                          Override what) {
  if (auto waived = waived_at_once(what, question.dialect, question.flags)) {
    co_return *std::move(waived);
  }
  const auto executor = co_await boost::asio::this_coro::executor;
  const Deadline deadline = std::chrono::steady_clock::now() + budget_of(question.dialect);
  auto progress = std::make_shared<Progress>();
  progress->judges_hosts = what.dane != DaneOverride::off;
  // Observing has time: nobody waits, and what would have been said in the end is wanted.
  const bool hurries = !settings_.observe && !what.observe;
  // Who only observes, or does not want the policy, applies none that there were to report on.
  if (hurries && !what.sts_off) progress->whom = question.whom;
  spawn_detached(executor, find_all(next_hop, deadline, progress), "lookup");
  for (;;) {
    if (needs_no_dane(question.dialect, what, progress->dane, progress->sts)) {
      progress->dane = DaneFinding{};
    }
    if (progress->complete()) co_return decide_and_tell(next_hop, question, what, *progress);
    if (progress->dane && hurries) {
      // A hanging policy host must not delay an answer that it cannot change.
      Decision early = decide_now(next_hop, question, what, *progress);
      const bool settled = !early.waits_for_sts || early.action == Action::dane_only;
      if (settled) co_return early;
    }
    const bool news = co_await progress->news.wait_until(deadline);
    if (!news) break;
  }
  if (progress->dane) co_return decide_now(next_hop, question, what, *progress);
  co_return too_slow(question.dialect);
}

DecisionInput PolicyFinder::Impl::input_of(const NextHop& next_hop, const PolicyQuestion& question,
                                           const Override& what, const Progress& progress) const {
  return DecisionInput{next_hop, *progress.dane,   progress.sts.value_or(not_yet_known()),
                       what,     question.dialect, question.flags,
                       settings_};
}

Decision PolicyFinder::Impl::decide_now(const NextHop& next_hop, const PolicyQuestion& question,
                                        const Override& what, const Progress& progress) const {
  return decide(input_of(next_hop, question, what, progress));
}

Decision PolicyFinder::Impl::decide_and_tell(const NextHop& next_hop,
                                             const PolicyQuestion& question, const Override& what,
                                             const Progress& progress) const {
  const DecisionInput input = input_of(next_hop, question, what, progress);
  Decision decision = decide(input);
  if (tlsrpt_ && progress.whom == AskedFor::mail) tlsrpt_->decided(input, decision);
  return decision;
}

Task<> PolicyFinder::Impl::find_all(NextHop next_hop, Deadline deadline, ProgressPtr progress) {
  const auto self = shared_from_this();
  DaneFinding mx = co_await dane_.find_mx(next_hop, progress->fresh);
  const MxStatus status = mx.mx;
  std::vector<Task<>> lookups;
  lookups.push_back(look_at_dane(next_hop, std::move(mx), progress));
  lookups.push_back(look_at_sts(next_hop, status, deadline, progress));
  co_await run_all(std::move(lookups));
}

Task<> PolicyFinder::Impl::look_at_dane(NextHop next_hop, DaneFinding mx, ProgressPtr progress) {
  if (progress->judges_hosts) {
    DaneFinding judged = co_await dane_.judge_hosts(next_hop, std::move(mx), progress->fresh);
    if (watch_ && !progress->fresh) watch_->note(next_hop, judged);
    progress->dane = std::move(judged);
  } else {
    progress->dane = std::move(mx);
  }
  progress->news.notify();
}

Task<> PolicyFinder::Impl::look_at_sts(NextHop next_hop, MxStatus mx, Deadline deadline,
                                       ProgressPtr progress) {
  StsFinding finding;
  // Nobody to deliver to, or nobody known: what was promised before still counts.
  const bool known_only = mx == MxStatus::error || mx == MxStatus::null || mx == MxStatus::nxdomain;
  if (!next_hop.has_sts()) {
    finding = no_sts("MTA-STS is for port 25 only");
  } else if (known_only) {
    finding = co_await sts_.find_known(next_hop.domain);
  } else if (progress->fresh) {
    StsSight look = co_await sts_.look_again(next_hop.domain);
    finding = std::move(look.finding);
    progress->sts_view = std::move(look.view);
  } else {
    finding = co_await sts_.find(next_hop.domain, deadline - kHeadStart, progress->whom);
  }
  const bool needs_view = progress->explains && !progress->sts_view && next_hop.has_sts();
  if (needs_view) progress->sts_view = co_await sts_.view(next_hop.domain, !known_only);
  progress->sts = std::move(finding);
  progress->news.notify();
}

Task<> PolicyFinder::Impl::find_all_again(NextHop next_hop, Deadline deadline,
                                          ProgressPtr progress) {
  const auto self = shared_from_this();
  const Counted counted(looking_again_);
  co_await find_all(std::move(next_hop), deadline, std::move(progress));
}

Task<Explanation> PolicyFinder::Impl::explain(std::string key, bool live) {
  const auto self = shared_from_this();
  Explanation explained;
  explained.key = key;
  explained.parsed = parse_next_hop(key);
  explained.settings = settings_;
  const auto* next_hop = std::get_if<NextHop>(&explained.parsed);
  if (next_hop == nullptr) {
    const auto& none = std::get<NoNextHop>(explained.parsed);
    for (const Dialect dialect : kDialects) {
      explained.known.verdicts.push_back(verdict_of(key, none, dialect));
    }
    co_return explained;
  }
  explained.rule = overrides_.find(next_hop->domain);
  explained.too_busy = live && looking_again_ >= kMaxLooksAgain;
  std::optional<Look> known;
  std::optional<Look> again;
  std::vector<Task<>> looks;
  looks.push_back(look_into(known, *next_hop, explained, false));
  const bool looks_again = live && !explained.too_busy;
  if (looks_again) looks.push_back(look_into(again, *next_hop, explained, true));
  co_await run_all(std::move(looks));
  explained.known = *std::move(known);
  explained.live = std::move(again);
  co_return explained;
}

Task<> PolicyFinder::Impl::look_into(std::optional<Look>& look, NextHop next_hop,
                                     Explanation explained, bool fresh) {
  auto looking = look_closely(std::move(next_hop), std::move(explained), fresh);
  look = co_await std::move(looking);
}

Task<Look> PolicyFinder::Impl::look_closely(NextHop next_hop, Explanation explained, bool fresh) {
  const auto executor = co_await boost::asio::this_coro::executor;
  const auto began = std::chrono::steady_clock::now();
  const Deadline deadline = began + kPostfixBudget;
  auto progress = std::make_shared<Progress>();
  progress->explains = true;
  progress->fresh = fresh;
  const bool dane_off = explained.rule && explained.rule->override_.dane == DaneOverride::off;
  progress->judges_hosts = !dane_off;
  auto finding =
      fresh ? find_all_again(next_hop, deadline, progress) : find_all(next_hop, deadline, progress);
  spawn_detached(executor, std::move(finding), "explanation");
  bool waits = true;
  while (waits && !progress->complete()) waits = co_await progress->news.wait_until(deadline);

  Look look;
  Found found{explained.key,  next_hop,      explained.rule, std::chrono::seconds::max(),
              progress->dane, progress->sts, settings_};
  if (found.rule) found.rule_left = overrides_.left(*found.rule);
  for (const Dialect dialect : kDialects) look.verdicts.push_back(verdict_of(found, dialect));
  look.took = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - began);
  if (progress->sts && next_hop.has_sts()) {
    look.sts = StsSight{*progress->sts, progress->sts_view.value_or(StsView{})};
    StsView& view = look.sts->view;
    const bool just_now = view.policy_age <= look.took;
    if (view.source == PolicySource::memory && just_now) view.source = PolicySource::fetched;
  }
  look.dane = progress->dane;
  co_return look;
}

PolicyFinder::PolicyFinder(DaneLookup& dane, StsLookup& sts, OverrideBook& overrides,
                           DecisionSettings settings, DaneWatch* watch, TlsrptReporter* tlsrpt)
    : impl_(std::make_shared<Impl>(dane, sts, overrides, settings, watch, tlsrpt)) {}
PolicyFinder::~PolicyFinder() = default;
Task<Decision> PolicyFinder::find(PolicyQuestion question) {
  return impl_->find(std::move(question));
}
Task<Explanation> PolicyFinder::explain(std::string key, bool live) {
  return impl_->explain(std::move(key), live);
}

}  // namespace sealane

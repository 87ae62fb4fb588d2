// SPDX-License-Identifier: Apache-2.0
#include "lookup/policy_finder.h"

#include <algorithm>
#include <boost/asio/this_coro.hpp>
#include <optional>
#include <utility>
#include <variant>

#include "base/log.h"
#include "lookup/waiting.h"

namespace sealane {
namespace {

/// The whole answer, well before the MTA gives up: Postfix waits 100 s, Exim 20 s, Sendmail 5 s.
constexpr std::chrono::seconds kPostfixBudget{30};
constexpr std::chrono::seconds kEximBudget{18};
constexpr std::chrono::seconds kSendmailBudget{4};

/// Lookups at a time that only observe; beyond it, an answer is given without one.
constexpr std::size_t kMaxObserved = 512;
/// What is known of MTA-STS by then is told before the whole answer is due.
constexpr std::chrono::milliseconds kHeadStart{500};

std::chrono::seconds budget_of(Dialect dialect) {
  switch (dialect) {
    case Dialect::exim:
      return kEximBudget;
    case Dialect::sendmail_sts:
      return kSendmailBudget;
    case Dialect::postfix:
    case Dialect::postfix_tlsrpt:
    case Dialect::postfix_pins:
    case Dialect::requiretls:
      return kPostfixBudget;
  }
  return kSendmailBudget;
}

/// What has been found so far of one question.  The two lookups write, the question reads.
struct Progress {
  bool judges_hosts = true;  ///< false with dane=off: no host is asked for
  std::optional<DaneFinding> dane;
  std::optional<StsFinding> sts;
  Signal news;
};

StsFinding no_sts(std::string reason) {
  StsFinding finding;
  finding.reason = std::move(reason);
  finding.ttl = std::chrono::hours{1};
  return finding;
}

StsFinding not_yet_known() {
  StsFinding finding;
  finding.value = StsClass::pending;
  finding.reason = "the MTA-STS policy is not known yet";
  finding.ttl = std::chrono::seconds{1};
  return finding;
}

/// Sendmail does DANE itself: an enforced policy is its answer whatever the hosts are.
bool needs_no_dane(const PolicyQuestion& question, const Override& override_,
                   const Progress& progress) {
  return question.dialect == Dialect::sendmail_sts && override_.dane == DaneOverride::none &&
         !progress.dane && progress.sts && progress.sts->value == StsClass::enforce;
}

}  // namespace

class PolicyFinder::Impl : public std::enable_shared_from_this<PolicyFinder::Impl> {
 public:
  Impl(DaneLookup& dane, StsLookup& sts, OverrideBook& overrides, DecisionSettings settings,
       DaneWatch* watch)
      : dane_(dane), sts_(sts), overrides_(overrides), settings_(settings), watch_(watch) {}

  Task<Decision> find(PolicyQuestion question);

 private:
  Task<Decision> look(NextHop next_hop, PolicyQuestion question, OverrideRulePtr rule);
  Task<Decision> gather(NextHop next_hop, PolicyQuestion question, Override override_);
  Task<> look_at_dane(NextHop next_hop, DaneFinding mx, std::shared_ptr<Progress> progress);
  Task<> look_at_sts(NextHop next_hop, MxStatus mx, Deadline deadline,
                     std::shared_ptr<Progress> progress);
  Task<> find_all(NextHop next_hop, Deadline deadline, std::shared_ptr<Progress> progress);
  Task<> observe(NextHop next_hop, PolicyQuestion question, OverrideRulePtr rule);
  Decision decide_now(const NextHop& next_hop, const PolicyQuestion& question,
                      const Override& override_, const Progress& progress) const;

  DaneLookup& dane_;
  StsLookup& sts_;
  OverrideBook& overrides_;
  DecisionSettings settings_;
  DaneWatch* watch_;
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
                                          Override override_) {
  const auto executor = co_await boost::asio::this_coro::executor;
  const Deadline deadline = std::chrono::steady_clock::now() + budget_of(question.dialect);
  auto progress = std::make_shared<Progress>();
  progress->judges_hosts = override_.dane != DaneOverride::off;
  spawn_detached(executor, find_all(next_hop, deadline, progress), "lookup");
  // Observing has time: nobody waits, and what would have been said in the end is wanted.
  const bool hurries = !settings_.observe && !override_.observe;
  for (;;) {
    if (needs_no_dane(question, override_, *progress)) progress->dane = DaneFinding{};
    const bool complete = progress->dane && progress->sts;
    if (complete) co_return decide_now(next_hop, question, override_, *progress);
    if (progress->dane && hurries) {
      // A hanging policy host must not delay an answer that it cannot change.
      Decision early = decide_now(next_hop, question, override_, *progress);
      const bool settled = !early.waits_for_sts || early.action == Action::dane_only;
      if (settled) co_return early;
    }
    const bool news = co_await progress->news.wait_until(deadline);
    if (!news) break;
  }
  if (progress->dane) co_return decide_now(next_hop, question, override_, *progress);
  co_return temporary_failure(
      fmt::format("the DNS lookups took longer than {} s", budget_of(question.dialect).count()));
}

Decision PolicyFinder::Impl::decide_now(const NextHop& next_hop, const PolicyQuestion& question,
                                        const Override& override_, const Progress& progress) const {
  DecisionInput input{next_hop,  *progress.dane,   progress.sts.value_or(not_yet_known()),
                      override_, question.dialect, question.flags,
                      settings_};
  return decide(input);
}

Task<> PolicyFinder::Impl::find_all(NextHop next_hop, Deadline deadline,
                                    std::shared_ptr<Progress> progress) {
  const auto self = shared_from_this();
  DaneFinding mx = co_await dane_.find_mx(next_hop);
  const MxStatus status = mx.mx;
  std::vector<Task<>> lookups;
  lookups.push_back(look_at_dane(next_hop, std::move(mx), progress));
  lookups.push_back(look_at_sts(next_hop, status, deadline, progress));
  co_await run_all(std::move(lookups));
}

Task<> PolicyFinder::Impl::look_at_dane(NextHop next_hop, DaneFinding mx,
                                        std::shared_ptr<Progress> progress) {
  if (progress->judges_hosts) {
    DaneFinding judged = co_await dane_.judge_hosts(next_hop, std::move(mx));
    if (watch_) watch_->note(next_hop, judged);
    progress->dane = std::move(judged);
  } else {
    progress->dane = std::move(mx);
  }
  progress->news.notify();
}

Task<> PolicyFinder::Impl::look_at_sts(NextHop next_hop, MxStatus mx, Deadline deadline,
                                       std::shared_ptr<Progress> progress) {
  StsFinding finding;
  if (!next_hop.has_sts()) {
    finding = no_sts("MTA-STS is for port 25 only");
  } else if (mx == MxStatus::error || mx == MxStatus::null || mx == MxStatus::nxdomain) {
    // Nobody to deliver to, or nobody known: what was promised before still counts.
    finding = co_await sts_.find_known(next_hop.domain);
  } else {
    finding = co_await sts_.find(next_hop.domain, deadline - kHeadStart);
  }
  progress->sts = std::move(finding);
  progress->news.notify();
}

PolicyFinder::PolicyFinder(DaneLookup& dane, StsLookup& sts, OverrideBook& overrides,
                           DecisionSettings settings, DaneWatch* watch)
    : impl_(std::make_shared<Impl>(dane, sts, overrides, settings, watch)) {}
PolicyFinder::~PolicyFinder() = default;
Task<Decision> PolicyFinder::find(PolicyQuestion question) {
  return impl_->find(std::move(question));
}

}  // namespace sealane

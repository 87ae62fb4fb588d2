// SPDX-License-Identifier: Apache-2.0
#include "adapters/https/https_fetcher.h"

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <map>
#include <utility>

#include "adapters/https/conversation.h"
#include "adapters/https/targets.h"
#include "base/log.h"

namespace sealane {
namespace {

using boost::asio::any_io_executor;
using boost::asio::redirect_error;
using boost::asio::steady_timer;
using boost::asio::use_awaitable;
using boost::asio::ip::address;
using boost::asio::ip::tcp;
using boost::system::error_code;
using Steady = std::chrono::steady_clock;

/// One fetch under way.
struct Run {
  Run(any_io_executor executor, const HttpsOptions& options)
      : turn(executor, Steady::time_point::max()),
        slowness(executor),
        budget(options.total_budget),
        fast_time(options.fast_time) {}

  void stop(FetchFailure why) {
    if (stopped) return;
    stopped = std::move(why);
    turn.cancel();
    if (const auto under_way = conversation.lock()) under_way->stop(*stopped);
  }

  steady_timer turn;      // never expires; cancelled when a slot is ours
  steady_timer slowness;  // runs while a slot of the fast pool is ours
  Steady::duration budget;
  Steady::duration fast_time;
  Steady::time_point admitted;
  std::optional<FetchSlots::Ticket> ticket;
  bool running = false;
  bool slow = false;
  std::optional<FetchFailure> stopped;
  std::weak_ptr<Conversation> conversation;
};

struct Attempt {
  Fetched outcome;
  bool connected = false;
  bool answered = false;  // a TLS handshake was completed: no other address need be asked
  bool no_route = false;
};

FetchFailure shutting_down() { return {FetchProblem::own, "shutting down", {}}; }

/// Which of the failures of several addresses says most about the policy host.
int telling(FetchProblem problem) {
  switch (problem) {
    case FetchProblem::tls:
      return 3;
    case FetchProblem::protocol:
      return 2;
    case FetchProblem::timeout:
      return 1;
    default:
      return 0;
  }
}

/// Gathers what the addresses of one host came to.
class Failures {
 public:
  void add(const address& from, const Attempt& attempt) {
    const FetchFailure& failed = attempt.outcome.error();
    if (!attempt.connected) sum_.unreachable.push_back(from.to_string());
    all_without_route_ = all_without_route_ && attempt.no_route;
    if (count_ == 0 || telling(failed.problem) > telling(sum_.problem)) {
      sum_.problem = failed.problem;
    }
    alone_ = failed.text;
    sum_.text += fmt::format("{}{}: {}", count_ == 0 ? "" : "; ", from.to_string(), failed.text);
    ++count_;
  }

  FetchFailure sum(bool own_gap) && {
    if (count_ == 1) sum_.text = std::move(alone_);
    const bool unclear = own_gap && sum_.problem == FetchProblem::connect;
    if (all_without_route_ || unclear) sum_.problem = FetchProblem::own;
    return std::move(sum_);
  }

 private:
  FetchFailure sum_;
  std::string alone_;
  std::size_t count_ = 0;
  bool all_without_route_ = true;
};

}  // namespace

class HttpsFetcher::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(any_io_executor executor, Resolver& resolver, HttpsOptions options, TlsContext context,
       AddressFilter filter, std::optional<ProxyName> proxy)
      : executor_(std::move(executor)),
        resolver_(resolver),
        options_(std::move(options)),
        context_(std::move(context)),
        filter_(std::move(filter)),
        proxy_(std::move(proxy)),
        slots_(options_.slots) {}

  static Task<Fetched> fetch(std::shared_ptr<Impl> self, Domain policy_domain, bool fresh);
  Result<void> reload_ca();
  void close();

 private:
  /// Gives the slot back however the fetch ends.
  struct Slot {
    std::shared_ptr<Impl> impl;
    std::shared_ptr<Run> run;
    ~Slot() { impl->leave(*run); }
  };

  Task<FoundTargets> targets(Domain host, std::string for_key, bool fresh);
  Task<bool> take_slot(std::shared_ptr<Run> run, Place place);
  Task<Attempt> attempt(std::shared_ptr<Run> run, address to, std::string host,
                        std::size_t addresses_left);
  Task<Attempt> converse(std::shared_ptr<Conversation> talk, address to, std::string host,
                         Steady::time_point share_end, Steady::time_point end,
                         std::chrono::milliseconds share);
  void watch_slowness(const std::shared_ptr<Run>& run);
  void slow_down(Run& run);
  void leave(Run& run);
  void admit();

  any_io_executor executor_;
  Resolver& resolver_;
  HttpsOptions options_;
  TlsContext context_;
  AddressFilter filter_;
  std::optional<ProxyName> proxy_;
  FetchSlots slots_;
  std::map<FetchSlots::Ticket, std::weak_ptr<Run>> runs_;  // those that have a ticket
  bool closed_ = false;
};

Result<void> HttpsFetcher::Impl::reload_ca() {
  auto context = make_tls_context(options_.ca_file);
  if (!context) return tl::unexpected(context.error());
  context_ = std::move(*context);
  return {};
}

void HttpsFetcher::Impl::close() {
  closed_ = true;
  const auto runs = runs_;
  for (const auto& [ticket, held] : runs) {
    if (const auto run = held.lock()) run->stop(shutting_down());
  }
}

void HttpsFetcher::Impl::admit() {
  for (const FetchSlots::Ticket ticket : slots_.admit()) {
    const auto found = runs_.find(ticket);
    const auto run = found == runs_.end() ? nullptr : found->second.lock();
    if (!run) continue;
    run->running = true;
    run->turn.cancel();
  }
}

void HttpsFetcher::Impl::leave(Run& run) {
  if (!run.ticket) return;
  if (run.running && !run.slow) run.fast_time -= Steady::now() - run.admitted;
  run.slowness.cancel();
  slots_.leave(*run.ticket);
  runs_.erase(*run.ticket);
  run.ticket.reset();
  run.running = false;
  admit();
}

void HttpsFetcher::Impl::slow_down(Run& run) {
  run.slow = true;
  const auto victim = slots_.move_to_slow(*run.ticket);
  admit();
  if (!victim) return;
  const auto found = runs_.find(*victim);
  const auto given_up = found == runs_.end() ? nullptr : found->second.lock();
  if (!given_up) return;
  // Our own fault: it might have come to a policy.
  given_up->stop({FetchProblem::own, "given up: too many slow fetches at once", {}});
}

void HttpsFetcher::Impl::watch_slowness(const std::shared_ptr<Run>& run) {
  run->slowness.expires_after(run->fast_time);
  run->slowness.async_wait([self = weak_from_this(), watch = std::weak_ptr<Run>(run),
                            ticket = *run->ticket](error_code error) {
    const auto impl = self.lock();
    const auto slow_run = watch.lock();
    if (error || !impl || !slow_run || slow_run->ticket != ticket) return;
    impl->slow_down(*slow_run);
  });
}

/// Waits until this fetch may connect to this place; false: never.
Task<bool> HttpsFetcher::Impl::take_slot(std::shared_ptr<Run> run, Place place) {
  if (run->slow) {
    slots_.move(*run->ticket, std::move(place));
    co_return !run->stopped.has_value();
  }
  leave(*run);
  run->ticket = slots_.enter(std::move(place));
  if (!run->ticket) {
    run->stop({FetchProblem::own, "too many policy fetches are waiting", {}});
    co_return false;
  }
  runs_[*run->ticket] = run;
  admit();
  error_code woken;
  while (!run->running && !run->stopped) {
    co_await run->turn.async_wait(redirect_error(use_awaitable, woken));
  }
  if (run->stopped) co_return false;
  run->admitted = Steady::now();
  watch_slowness(run);
  co_return true;
}

Task<FoundTargets> HttpsFetcher::Impl::targets(Domain host, std::string for_key, bool fresh) {
  if (!proxy_) {
    auto found = find_targets(resolver_, std::move(host), std::move(for_key), &filter_, fresh);
    co_return co_await std::move(found);
  }
  error_code not_literal;
  const address literal = boost::asio::ip::make_address(proxy_->host, not_literal);
  if (!not_literal) {
    Targets alone;
    alone.addresses.push_back(literal);
    co_return alone;
  }
  const auto name = Domain::parse(proxy_->host);
  if (!name) co_return tl::unexpected(FetchFailure{FetchProblem::own, name.error(), {}});
  auto finding = find_targets(resolver_, *name, std::move(for_key), nullptr, fresh);
  FoundTargets found = co_await std::move(finding);
  if (!found) {
    found.error().problem = FetchProblem::own;
    found.error().text = "proxy: " + found.error().text;
  }
  co_return found;
}

Task<Attempt> HttpsFetcher::Impl::converse(std::shared_ptr<Conversation> talk, address to,
                                           std::string host, Steady::time_point share_end,
                                           Steady::time_point end,
                                           std::chrono::milliseconds share) {
  Attempt attempt;
  const auto connect_share = std::min(options_.connect_budget, share);
  talk->limit(std::min(Steady::now() + connect_share, share_end), connect_share);
  auto connecting = talk->connect(tcp::endpoint(to, proxy_ ? proxy_->port : options_.port));
  auto step = co_await std::move(connecting);
  attempt.no_route = talk->no_route();
  attempt.connected = step.has_value();
  if (step) talk->limit(share_end, share);
  if (step && proxy_) {
    auto tunnelling = talk->open_tunnel(fmt::format("{}:{}", host, options_.port));
    step = co_await std::move(tunnelling);
  }
  if (step) {
    auto shaking = talk->shake_hands(host);
    step = co_await std::move(shaking);
  }
  if (!step) {
    attempt.outcome = tl::unexpected(std::move(step.error()));
    co_return attempt;
  }
  attempt.answered = true;
  talk->limit(end, options_.total_budget);
  auto getting = talk->get(host, options_.port);
  auto body = co_await std::move(getting);
  if (!body) {
    attempt.outcome = tl::unexpected(std::move(body.error()));
    co_return attempt;
  }
  attempt.outcome = FetchedBody{std::move(*body), to.to_string()};
  co_return attempt;
}

Task<Attempt> HttpsFetcher::Impl::attempt(std::shared_ptr<Run> run, address to, std::string host,
                                          std::size_t addresses_left) {
  const auto talk = std::make_shared<Conversation>(executor_, context_);
  run->conversation = talk;
  const auto begun = Steady::now();
  const auto left = static_cast<Steady::rep>(addresses_left);
  const auto share = run->budget / left;
  const auto shown = addresses_left == 1
                         ? options_.total_budget
                         : std::chrono::duration_cast<std::chrono::milliseconds>(share);
  auto conversing = converse(talk, to, std::move(host), begun + share, begun + run->budget, shown);
  Attempt attempt = co_await std::move(conversing);
  run->budget -= Steady::now() - begun;
  const bool proxy_failed = proxy_ && !attempt.connected;
  if (!attempt.outcome && proxy_failed) {
    attempt.outcome.error().problem = FetchProblem::own;
    attempt.outcome.error().text = "proxy: " + attempt.outcome.error().text;
  }
  co_return attempt;
}

Task<Fetched> HttpsFetcher::Impl::fetch(std::shared_ptr<Impl> self, Domain policy_domain,
                                        bool fresh) {
  const auto host = policy_domain.below("mta-sts");
  if (!host) co_return tl::unexpected(FetchFailure{FetchProblem::dns, host.error(), {}});
  const auto begun = Steady::now();
  auto finding = self->targets(*host, policy_domain.text(), fresh);
  const FoundTargets targets = co_await std::move(finding);
  if (self->closed_) co_return tl::unexpected(shutting_down());
  if (!targets) co_return tl::unexpected(targets.error());

  const auto run = std::make_shared<Run>(self->executor_, self->options_);
  run->budget -= Steady::now() - begun;
  const Slot slot{self, run};
  Failures failures;
  std::size_t left = targets->addresses.size();
  for (const address& to : targets->addresses) {
    // What a proxy connects to is unknown: each policy domain is a place of its own then.
    Place place = self->proxy_ ? Place{policy_domain.text(), policy_domain.text()} : place_of(to);
    auto waiting = self->take_slot(run, std::move(place));
    const bool admitted = co_await std::move(waiting);
    if (!admitted) co_return tl::unexpected(*run->stopped);
    auto attempting = self->attempt(run, to, host->text(), left--);
    Attempt attempt = co_await std::move(attempting);
    if (attempt.outcome || attempt.answered) co_return std::move(attempt.outcome);
    if (run->stopped) co_return tl::unexpected(*run->stopped);
    if (!self->proxy_ && attempt.outcome.error().problem == FetchProblem::own) {
      co_return std::move(attempt.outcome);
    }
    failures.add(to, attempt);
  }
  FetchFailure failure = std::move(failures).sum(targets->own_gap);
  if (self->proxy_) failure.unreachable.clear();  // the proxy's addresses are not the policy host's
  const bool out_of_reach = self->proxy_ && failure.problem == FetchProblem::connect;
  if (out_of_reach) failure.unreachable.push_back(host->text() + " by proxy");
  co_return tl::unexpected(std::move(failure));
}

HttpsFetcher::HttpsFetcher(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpsFetcher::~HttpsFetcher() = default;

Result<std::unique_ptr<HttpsFetcher>> HttpsFetcher::create(any_io_executor executor,
                                                           Resolver& resolver,
                                                           HttpsOptions options) {
  auto context = make_tls_context(options.ca_file);
  if (!context) return tl::unexpected(context.error());
  auto filter = AddressFilter::create(options.allow_addresses);
  if (!filter) return tl::unexpected(filter.error());
  std::optional<ProxyName> proxy;
  if (!options.proxy.empty()) {
    auto parsed = parse_proxy(options.proxy);
    if (!parsed) return tl::unexpected(parsed.error());
    proxy = std::move(*parsed);
    log(Severity::notice, "sts_proxy",
        {{"proxy", options.proxy}, {"note", "the proxy resolves; addresses are not filtered"}});
  }
  auto impl = std::make_shared<Impl>(std::move(executor), resolver, std::move(options),
                                     std::move(*context), std::move(*filter), std::move(proxy));
  return std::unique_ptr<HttpsFetcher>(new HttpsFetcher(std::move(impl)));
}

Task<Fetched> HttpsFetcher::fetch(Domain policy_domain, bool fresh) {
  return Impl::fetch(impl_, std::move(policy_domain), fresh);
}

Result<void> HttpsFetcher::reload_ca() { return impl_->reload_ca(); }
void HttpsFetcher::close() { impl_->close(); }

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
#include "adapters/dns/getdns_resolver.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <deque>
#include <exception>
#include <unordered_map>
#include <utility>

#include "adapters/dns/admission.h"
#include "adapters/dns/dns_cache.h"
#include "adapters/dns/upstream.h"
#include "base/log.h"

namespace sealane {
namespace {

namespace asio = boost::asio;
using std::chrono::steady_clock;

/// Pause before a packet is repeated that could not even be sent.
constexpr std::chrono::milliseconds kResendPause{250};

DnsReply failed(std::string why, bool own_fault) {
  DnsReply reply;
  reply.why = std::move(why);
  reply.own_fault = own_fault;
  return reply;
}

/// A lookup under way.  The timer never expires: cancelling it wakes everybody who waits.
struct Flight {
  Flight(const asio::any_io_executor& executor, std::shared_ptr<Admission::Turn> of)
      : turn(std::move(of)), landed(executor, asio::steady_timer::time_point::max()) {}
  std::shared_ptr<Admission::Turn> turn;  ///< null: the queue was full
  asio::steady_timer landed;
  std::optional<DnsReply> reply;
};

std::string text_of(const DnsQuestion& question) {
  return question.name.text() + ' ' + std::string(name_of(question.type));
}

UpstreamReport report_on(const UpstreamHealth& health, TrustAd trust) {
  const std::string good = trust == TrustAd::never ? "answers" : "validates DNSSEC";
  return {health.server, health.cause.empty(),
          to_text(health.server) + ": " + (health.cause.empty() ? good : health.cause)};
}

}  // namespace

struct GetdnsResolver::Impl : std::enable_shared_from_this<Impl> {
  Impl(asio::any_io_executor of, const Clock& time, ResolverOptions with)
      : executor(of),
        clock(time),
        options(std::move(with)),
        admission(of, {kMaxInFlight, kMaxInFlightPerKey, kMaxWaitingLookups}, kQueuePatience) {}

  Task<DnsReply> ask(DnsQuestion question);
  static Task<> fly(std::shared_ptr<Impl> self, DnsQuestion question,
                    std::shared_ptr<Flight> flight);
  std::shared_ptr<Flight> join(const DnsQuestion& question);
  Task<DnsReply> admitted_look_up(DnsQuestion question, std::shared_ptr<Admission::Turn> turn);
  Task<DnsReply> look_up(Domain name, RrType type, std::string for_key);
  Task<DnsReply> judge(std::shared_ptr<Upstream> upstream, DnsReply reply, SteadyTime deadline);
  Task<DnsReply> unanswered(SteadyTime began, SteadyTime deadline);
  std::deque<std::shared_ptr<Upstream>> in_order_of_trust();
  Task<> pause_after(SteadyTime sent);
  void land(const DnsQuestion& question, Flight& flight, DnsReply reply);
  void close();

  asio::any_io_executor executor;
  const Clock& clock;
  ResolverOptions options;
  std::vector<std::shared_ptr<Upstream>> upstreams;
  DnsCache cache;
  Admission admission;
  std::unordered_map<std::string, std::shared_ptr<Flight>> flights;  ///< by "name TYPE"
  bool closed = false;
  std::uint64_t questions = 0, cache_hits = 0, joined = 0, failures = 0, own_faults = 0;
};

Task<DnsReply> GetdnsResolver::Impl::ask(DnsQuestion question) {
  const auto self = shared_from_this();
  ++questions;
  if (closed) co_return failed("shutting down", true);
  std::optional<DnsReply> known;
  if (!question.fresh) known = cache.find(question.name, question.type, clock.steady());
  if (known) {
    ++cache_hits;
    co_return std::move(*known);
  }
  const std::shared_ptr<Flight> flight = join(question);
  boost::system::error_code woken;
  if (!flight->reply) {
    co_await flight->landed.async_wait(asio::redirect_error(asio::use_awaitable, woken));
  }
  if (!flight->reply) co_return failed("cancelled", true);
  co_return *flight->reply;
}

std::shared_ptr<Flight> GetdnsResolver::Impl::join(const DnsQuestion& question) {
  std::shared_ptr<Flight>& under_way = flights[text_of(question)];
  if (under_way) {
    ++joined;
    if (under_way->turn) admission.enter_too(under_way->turn, question.for_key);
    return under_way;
  }
  auto flight = std::make_shared<Flight>(executor, admission.enter(question.for_key));
  under_way = flight;
  // Nobody owns it, so nobody who gives up waiting can cancel it for the others.
  auto flying = fly(shared_from_this(), question, flight);
  asio::co_spawn(executor, std::move(flying), [](std::exception_ptr error) {
    if (error) std::rethrow_exception(error);
  });
  return flight;
}

Task<> GetdnsResolver::Impl::fly(std::shared_ptr<Impl> self, DnsQuestion question,
                                 std::shared_ptr<Flight> flight) {
  DnsReply reply = failed("internal error", true);
  try {
    reply = co_await self->admitted_look_up(question, flight->turn);
  } catch (const std::exception& error) {
    log(Severity::error, "internal_error", {{"where", "DNS lookup"}, {"cause", error.what()}});
  }
  self->land(question, *flight, std::move(reply));
}

void GetdnsResolver::Impl::land(const DnsQuestion& question, Flight& flight, DnsReply reply) {
  if (reply.failed()) ++(reply.own_fault ? own_faults : failures);
  if (question.fresh) {
    reply.ttl = DnsCache::life(question.name, question.type, reply);
    flight.reply = std::move(reply);
  } else {
    flight.reply = cache.put(question.name, question.type, std::move(reply), clock.steady());
  }
  flights.erase(text_of(question));
  flight.landed.cancel();
}

Task<DnsReply> GetdnsResolver::Impl::admitted_look_up(DnsQuestion question,
                                                      std::shared_ptr<Admission::Turn> turn) {
  bool may_go = false;
  if (turn) may_go = co_await admission.wait(turn);
  if (!may_go) co_return failed(closed ? "shutting down" : "too many DNS lookups", true);
  std::exception_ptr error;
  DnsReply reply;
  try {
    reply = co_await look_up(question.name, question.type, *turn->granted_to);
  } catch (...) {
    error = std::current_exception();
  }
  admission.leave(*turn);
  if (error) std::rethrow_exception(error);
  co_return reply;
}

/// Those that failed their last self-test come last, and get the chance to pass the next.
std::deque<std::shared_ptr<Upstream>> GetdnsResolver::Impl::in_order_of_trust() {
  std::deque<std::shared_ptr<Upstream>> order(upstreams.begin(), upstreams.end());
  std::stable_partition(order.begin(), order.end(),
                        [](const auto& upstream) { return !upstream->suspect(); });
  for (const auto& upstream : order) {
    if (upstream->suspect()) upstream->test_soon();
  }
  return order;
}

/// SERVFAIL is an answer, and the last word: it is how a validating resolver says "bogus".  Another
/// resolver is asked only when one says nothing, or that it will not serve us.
Task<DnsReply> GetdnsResolver::Impl::look_up(Domain name, RrType type, std::string for_key) {
  const SteadyTime began = steady_clock::now();
  const SteadyTime deadline = began + kLookupBudget;
  auto order = in_order_of_trust();
  std::shared_ptr<Upstream> refused;
  for (const std::chrono::milliseconds patience : options.patience) {
    if (order.empty()) break;
    const std::shared_ptr<Upstream> upstream = order.front();
    order.pop_front();
    const SteadyTime sent = steady_clock::now();
    const auto message = co_await upstream->query(
        name.text() + ".", static_cast<std::uint16_t>(type), patience, for_key);
    if (closed) co_return failed("shutting down", true);
    if (message && message->rcode == static_cast<std::uint16_t>(Rcode::refused)) {
      refused = upstream;
      continue;
    }
    if (message) {
      DnsReply reply = read_reply(*message, name, type);
      co_return co_await judge(upstream, std::move(reply), deadline);
    }
    order.push_back(upstream);
    upstream->test_soon();
    co_await pause_after(sent);
  }
  if (order.empty() && refused) {
    // A resolver that works and refuses this name has an opinion about the name.
    const bool vouched = co_await refused->vouched(deadline);
    co_return failed(vouched ? "REFUSED" : "the resolver answers REFUSED", !vouched);
  }
  co_return co_await unanswered(began, deadline);
}

/// Without this, a query that fails at once (no descriptor, no route) would use up all attempts.
Task<> GetdnsResolver::Impl::pause_after(SteadyTime sent) {
  if (steady_clock::now() - sent >= kResendPause) co_return;
  asio::steady_timer pause(executor, kResendPause);
  boost::system::error_code woken;
  co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, woken));
}

/// "Insecure" and "failed" count only from a resolver that validates: one that has stopped, or has
/// lost its trust anchor, says them of everything.
Task<DnsReply> GetdnsResolver::Impl::judge(std::shared_ptr<Upstream> upstream, DnsReply reply,
                                           SteadyTime deadline) {
  if (options.trust_ad == TrustAd::never) reply.secure = false;
  if (!reply.failed() && (reply.secure || options.trust_ad == TrustAd::never)) co_return reply;
  const bool vouched = co_await upstream->vouched(deadline);
  if (vouched) co_return reply;
  const std::string cause = upstream->health().cause;
  co_return failed("the resolver " + to_text(upstream->server()) +
                       " fails its self-test: " + (cause.empty() ? "it takes too long" : cause),
                   true);
}

/// No packet was answered: is it the name, or are the resolvers gone?
Task<DnsReply> GetdnsResolver::Impl::unanswered(SteadyTime began, SteadyTime deadline) {
  for (const auto& upstream : upstreams) {
    const bool alive = co_await upstream->answering(began, deadline);
    if (alive) co_return failed("timeout", false);
  }
  co_return failed("no resolver answers", true);
}

void GetdnsResolver::Impl::close() {
  if (std::exchange(closed, true)) return;
  admission.close();
  for (const auto& upstream : upstreams) upstream->close();
}

bool SelfTestReport::any_passed() const {
  return std::any_of(upstreams.begin(), upstreams.end(), [](const auto& u) { return u.passed; });
}

bool SelfTestReport::all_passed() const {
  return std::all_of(upstreams.begin(), upstreams.end(), [](const auto& u) { return u.passed; });
}

namespace {

/// What is wrong with the choice of upstreams; empty if nothing.
std::string complaint(const ResolverOptions& options) {
  if (options.upstreams.empty() && options.trust_ad == TrustAd::loopback) {
    return "no DNS resolver on a loopback address: run a validating resolver on this host and name "
           "it in resolv.conf or by resolver.upstream, or say resolver.trust-ad = always (the way "
           "to the resolver is protected) or never (DANE is off)";
  }
  if (options.upstreams.empty()) return "no DNS resolver to ask";
  if (options.trust_ad != TrustAd::loopback) return {};
  for (const NameServer& server : options.upstreams) {
    if (server.address.is_loopback()) continue;
    return "the DNS resolver " + to_text(server) +
           " is not on a loopback address, so anyone on the way can forge what it says of DNSSEC: "
           "use a validating resolver on this host, or say resolver.trust-ad = always (the way is "
           "protected) or never (DANE is off)";
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<GetdnsResolver>> GetdnsResolver::create(asio::any_io_executor executor,
                                                               const Clock& clock,
                                                               ResolverOptions options) {
  const std::string wrong = complaint(options);
  if (!wrong.empty()) return tl::unexpected(wrong);
  auto impl = std::make_shared<Impl>(executor, clock, std::move(options));
  const UpstreamRules rules{impl->options.trust_ad != TrustAd::never, impl->options.bogus_canary};
  for (const NameServer& server : impl->options.upstreams) {
    auto upstream = Upstream::create(executor, clock, server, rules);
    if (!upstream) return tl::unexpected(std::move(upstream.error()));
    impl->upstreams.push_back(std::move(*upstream));
  }
  return std::unique_ptr<GetdnsResolver>(new GetdnsResolver(std::move(impl)));
}

GetdnsResolver::GetdnsResolver(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

GetdnsResolver::~GetdnsResolver() { close(); }

Task<DnsReply> GetdnsResolver::ask(DnsQuestion question) { return impl_->ask(std::move(question)); }

Task<SelfTestReport> GetdnsResolver::self_test() {
  const std::shared_ptr<Impl> impl = impl_;
  SelfTestReport report;
  for (const auto& upstream : impl->upstreams) {
    co_await upstream->test();
    report.upstreams.push_back(report_on(upstream->health(), impl->options.trust_ad));
  }
  co_return report;
}

ResolverStatus GetdnsResolver::status() const {
  ResolverStatus status;
  status.trust_ad = impl_->options.trust_ad;
  for (const auto& upstream : impl_->upstreams) {
    const UpstreamHealth health = upstream->health();
    status.upstreams.push_back(report_on(health, status.trust_ad));
    status.queries += health.queries;
    status.unanswered += health.unanswered;
  }
  status.cache_entries = impl_->cache.entries();
  status.cache_octets = impl_->cache.octets();
  status.in_flight = impl_->admission.in_flight();
  status.waiting = impl_->admission.waiting();
  status.questions = impl_->questions;
  status.cache_hits = impl_->cache_hits;
  status.joined = impl_->joined;
  status.failures = impl_->failures;
  status.own_faults = impl_->own_faults;
  return status;
}

void GetdnsResolver::close() { impl_->close(); }

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
#include "adapters/dns/upstream.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <random>
#include <utility>

#include "base/log.h"

namespace sealane {
namespace {

namespace asio = boost::asio;

constexpr std::size_t kRandomLabel = 20;  ///< letters: no such top-level domain exists

std::string random_top_level_name() {
  std::random_device source;
  std::uniform_int_distribution<int> letter('a', 'z');
  std::string name;
  while (name.size() < kRandomLabel) name.push_back(static_cast<char>(letter(source)));
  return name + ".";
}

void log_exception(std::exception_ptr error) {
  if (!error) return;
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    log(Severity::error, "internal_error", {{"where", "resolver self-test"}, {"cause", e.what()}});
  }
}

}  // namespace

Result<std::shared_ptr<Upstream>> Upstream::create(asio::any_io_executor executor,
                                                   const Clock& clock, const NameServer& server,
                                                   UpstreamRules rules) {
  auto context = GetdnsContext::create(executor, server);
  if (!context) return tl::unexpected(std::move(context.error()));
  return std::shared_ptr<Upstream>(
      new Upstream(std::move(executor), clock, server, std::move(rules), std::move(*context)));
}

Upstream::Upstream(asio::any_io_executor executor, const Clock& clock, const NameServer& server,
                   UpstreamRules rules, std::unique_ptr<GetdnsContext> context)
    : executor_(std::move(executor)),
      clock_(clock),
      server_(server),
      rules_(std::move(rules)),
      context_(std::move(context)),
      tcp_(executor_, server_),
      vouching_(rules_.needs_ad) {}

Task<std::optional<DnsMessage>> Upstream::query(std::string name, std::uint16_t type,
                                                std::chrono::milliseconds patience,
                                                std::string for_key) {
  const SteadyTime began = std::chrono::steady_clock::now();
  ++queries_;
  auto message = co_await context_->query(name, type, patience);
  if (message) last_answer_ = std::chrono::steady_clock::now();
  if (message && message->truncated) {
    const auto left = patience - (last_answer_ - began);
    message = co_await tcp_.query(std::move(name), type,
                                  std::chrono::floor<std::chrono::milliseconds>(left),
                                  std::move(for_key));
    if (message) last_answer_ = std::chrono::steady_clock::now();
  }
  if (!message) ++unanswered_;
  co_return message;
}

Task<bool> Upstream::vouched(SteadyTime deadline) {
  if (vouching_.holds(clock_.steady())) co_return true;
  const bool just_failed =
      suspect() && std::chrono::steady_clock::now() - test_ended_ < kRetestAfter;
  if (!just_failed || testing_) co_await wait_for_test(deadline);
  co_return vouching_.holds(clock_.steady());
}

Task<bool> Upstream::answering(SteadyTime since, SteadyTime deadline) {
  const bool tested_since = tested_ && !testing_ && test_began_ >= since;
  if (last_answer_ < since && !tested_since) co_await wait_for_test(deadline);
  co_return last_answer_ >= since;
}

Task<> Upstream::test() { co_await wait_for_test(SteadyTime::max()); }

void Upstream::test_soon() {
  if (std::chrono::steady_clock::now() - test_ended_ >= kRetestAfter) begin_test();
}

UpstreamHealth Upstream::health() const {
  return {server_, vouching_.holds(clock_.steady()), vouching_.cause(), queries_, unanswered_};
}

void Upstream::close() {
  closed_ = true;
  context_->close();
  tcp_.close();
}

Task<> Upstream::wait_for_test(SteadyTime deadline) {
  begin_test();
  if (!testing_) co_return;
  auto wait = std::make_shared<asio::steady_timer>(executor_, deadline);
  waiting_.push_back(wait);
  boost::system::error_code woken;
  co_await wait->async_wait(asio::redirect_error(asio::use_awaitable, woken));
}

void Upstream::begin_test() {
  if (testing_ || closed_) return;
  testing_ = true;
  test_began_ = std::chrono::steady_clock::now();
  asio::co_spawn(executor_, run_test(shared_from_this()),
                 [self = shared_from_this()](std::exception_ptr error) {
                   log_exception(error);
                   self->end_test();
                 });
}

void Upstream::end_test() {
  testing_ = false;
  tested_ = true;
  test_ended_ = std::chrono::steady_clock::now();
  for (const auto& wait : std::exchange(waiting_, {})) wait->cancel();
  if (!closed_) report();
}

Task<> Upstream::run_test(std::shared_ptr<Upstream> self) {
  const SteadyTime began = self->clock_.steady();
  const auto root_message = co_await self->probe(".", kTypeSoa);
  const Probe root = judge_root(root_message, self->rules_.needs_ad);
  const bool go_on = root.result == ProbeResult::passed && self->vouching_.denial_due(began);
  if (go_on) {
    const Probe denial = co_await self->test_denial();
    self->vouching_.denial(denial, began);
  }
  self->vouching_.root(root, began);
}

Task<Probe> Upstream::test_denial() {
  // Not for an address: systemd-resolved keeps those of single labels to itself.
  const auto message = co_await probe(random_top_level_name(), kTypeSoa);
  Probe denial = judge_denial(message);
  if (denial.result == ProbeResult::contradicted || !rules_.bogus_canary) co_return denial;
  const auto canary_message =
      co_await probe(rules_.bogus_canary->text() + ".", static_cast<std::uint16_t>(RrType::a));
  Probe canary = judge_canary(canary_message);
  co_return canary.result == ProbeResult::passed ? denial : canary;
}

Task<std::optional<DnsMessage>> Upstream::probe(std::string name, std::uint16_t type) {
  for (int attempt = 0; attempt < kProbeAttempts; ++attempt) {
    auto message = co_await query(name, type, kProbePatience);
    if (message || closed_) co_return message;
  }
  co_return std::nullopt;
}

void Upstream::report() {
  const SteadyTime now = std::chrono::steady_clock::now();
  const std::string cause = vouching_.cause();
  if (cause == reported_ && (cause.empty() || now - reported_at_ < kAlarmPeriod)) return;
  if (cause.empty()) {
    log(Severity::notice, "resolver_recovered", {{"resolver", to_text(server_)}});
  } else {
    log(Severity::alarm, "resolver_self_test_failed",
        {{"resolver", to_text(server_)}, {"cause", cause}});
  }
  reported_ = cause;
  reported_at_ = now;
}

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
#include "daemon_resolvers.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <chrono>
#include <exception>
#include <optional>
#include <thread>
#include <utility>

#include "base/log.h"
#include "base/task.h"
#include "daemon.h"
#include "daemon_options.h"

namespace sealane {
namespace asio = boost::asio;
using std::chrono::seconds;

namespace {

/// Runs one task to its end on a context that no thread runs yet.
template <class T>
T run_alone(asio::io_context& io, Task<T> task) {
  std::optional<T> value;
  asio::co_spawn(io, std::move(task), [&value](std::exception_ptr error, T result) {
    if (error) std::rethrow_exception(error);
    value = std::move(result);
  });
  while (!value && io.run_one() > 0) {
  }
  io.restart();
  return std::move(value.value());
}

std::vector<std::string> complaints(const SelfTestReport& report) {
  std::vector<std::string> out;
  for (const UpstreamReport& upstream : report.upstreams) {
    if (!upstream.passed) out.push_back(upstream.text);
  }
  return out;
}

}  // namespace

Result<std::vector<std::string>> await_resolver(asio::io_context& lookup, GetdnsResolver& resolver,
                                                const Clock& clock) {
  const auto until = clock.steady() + kResolverStartPatience;
  for (;;) {
    const SelfTestReport report = run_alone(lookup, resolver.self_test());
    std::vector<std::string> problems = complaints(report);
    if (report.any_passed()) return problems;
    const std::string cause = fmt::format("{}", fmt::join(problems, "; "));
    if (clock.steady() >= until) return failure("no resolver can be used: {}", cause);
    log(Severity::warning, "resolver_not_ready", {{"cause", cause}});
    std::this_thread::sleep_for(seconds{1});
  }
}

std::vector<std::string> test_resolv_conf(asio::io_context& lookup,
                                          const std::vector<NameServer>& ours, const Clock& clock) {
  ResolverOptions theirs;
  theirs.upstreams = name_servers(kResolvConf);
  theirs.trust_ad = TrustAd::always;
  const bool covered =
      std::all_of(theirs.upstreams.begin(), theirs.upstreams.end(), [&](const NameServer& server) {
        return std::find(ours.begin(), ours.end(), server) != ours.end();
      });
  if (covered || theirs.upstreams.empty()) return {};
  auto probe = GetdnsResolver::create(lookup.get_executor(), clock, theirs);
  if (!probe) return {fmt::format("{}: {}", kResolvConf, probe.error())};
  std::vector<std::string> problems;
  for (const std::string& problem : complaints(run_alone(lookup, (*probe)->self_test()))) {
    problems.push_back(fmt::format("{}, which Postfix uses for DANE: {}", kResolvConf, problem));
  }
  (*probe)->close();
  return problems;
}

}  // namespace sealane

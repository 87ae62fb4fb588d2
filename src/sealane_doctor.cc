// SPDX-License-Identifier: Apache-2.0
#include "sealane_doctor.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <iostream>
#include <optional>
#include <utility>
#include <vector>

#include "adapters/dns/getdns_resolver.h"
#include "adapters/system_clock.h"
#include "base/log.h"
#include "cli/doctor.h"
#include "daemon_options.h"

namespace sealane {
namespace {

namespace asio = boost::asio;
using doctor::ResolverFact;
using doctor::ResolverFacts;

std::vector<ResolverFact> facts_of(const SelfTestReport& report) {
  std::vector<ResolverFact> facts;
  for (const UpstreamReport& upstream : report.upstreams) {
    facts.push_back({to_text(upstream.server), upstream.server.address.is_loopback(),
                     upstream.passed, upstream.text});
  }
  return facts;
}

/// The self-tests of these resolvers.
Result<std::vector<ResolverFact>> test(const ResolverOptions& options) {
  asio::io_context io{1};
  const SystemClock clock;
  auto resolver = GetdnsResolver::create(io.get_executor(), clock, options);
  if (!resolver) return tl::unexpected(std::move(resolver.error()));
  std::optional<SelfTestReport> report;
  GetdnsResolver& tested = **resolver;
  asio::co_spawn(io, tested.self_test(),
                 [&report, &tested](std::exception_ptr error, SelfTestReport result) {
                   if (error) std::rethrow_exception(error);
                   report = std::move(result);
                   tested.close();
                 });
  io.run();
  return facts_of(report.value());
}

ResolverFacts test_resolvers(const Config& config) {
  ResolverFacts facts;
  const auto ours = test(resolver_options(config));
  if (ours) {
    facts.ours = *ours;
  } else {
    facts.unusable = ours.error();
  }
  // Postfix and Exim believe the AD bit of whoever stands in resolv.conf.
  ResolverOptions theirs;
  theirs.upstreams = name_servers(kResolvConf);
  theirs.trust_ad = TrustAd::always;
  const auto system = test(theirs);
  if (system) facts.system = *system;
  return facts;
}

}  // namespace

int run_doctor(std::span<const std::string> args) {
  silence_log();  // what a self-test complains of becomes a finding
  const DoctorProbes probes{kResolvConf, test_resolvers, families_of};
  return doctor_command(args, probes, std::cout, std::cerr);
}

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
// Whether Exim sees DNSSEC, and does not fail open.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "cli/doctor/checks.h"

namespace sealane::doctor {
namespace {

using MaybeVerdict = std::optional<Verdict>;

const EximFacts* looked_at(const Facts& facts) {
  const bool usable = facts.exim && facts.exim->problem.empty();
  return usable ? &*facts.exim : nullptr;
}

std::string_view value_of(const Parameters& parameters, std::string_view name) {
  const auto found = parameters.find(name);
  return found == parameters.end() ? std::string_view() : std::string_view(found->second);
}

Verdict by_advice(std::string text, std::string advice) {
  return {std::move(text), {}, std::move(advice)};
}

MaybeVerdict unreadable(const Facts& facts) {
  if (!facts.exim || facts.exim->problem.empty()) return std::nullopt;
  return by_advice(fmt::format("Exim cannot be looked at: {}.", facts.exim->problem),
                   "mend its configuration, and try: exim -bV");
}

/// The words of all "options" lines; the C library reads each of them.
bool trusts_ad(std::string_view resolv_conf) {
  for (const std::string_view line : split(resolv_conf, '\n')) {
    const std::vector<std::string_view> found = words(line);
    if (found.empty() || found.front() != "options") continue;
    if (std::find(found.begin(), found.end(), "trust-ad") != found.end()) return true;
  }
  return false;
}

MaybeVerdict no_trust_ad(const Facts& facts) {
  if (looked_at(facts) == nullptr || trusts_ad(facts.resolv_conf)) return std::nullopt;
  return Verdict{
      "/etc/resolv.conf lacks \"options trust-ad\": the C library hides from Exim what is "
      "signed, and mail goes out without DANE.",
      {"printf 'options edns0 trust-ad\\n' >> /etc/resolv.conf"},
      "if a program writes that file, tell it there"};
}

MaybeVerdict no_dnssec(const Facts& facts) {
  const EximFacts* exim = looked_at(facts);
  if (exim == nullptr || value_of(exim->main, "dns_dnssec_ok") != "0") return std::nullopt;
  return by_advice(
      "dns_dnssec_ok = 0: Exim does not ask for DNSSEC, and mail goes out without DANE.",
      "in Exim's configuration: dns_dnssec_ok = 1");
}

MaybeVerdict trust_aa(const Facts& facts) {
  const EximFacts* exim = looked_at(facts);
  const std::string_view domains = exim == nullptr ? "" : value_of(exim->main, "dns_trust_aa");
  if (domains.empty()) return std::nullopt;
  return by_advice(fmt::format("dns_trust_aa = {}: unsigned answers for these domains count as "
                               "signed, so a forged one diverts mail under DANE.",
                               escape(domains)),
                   "in Exim's configuration: remove dns_trust_aa");
}

/// The names of drivers for which a condition holds.
template <class Condition>
std::vector<std::string> names_where(const std::vector<EximDriver>& drivers, Condition condition) {
  std::vector<std::string> names;
  for (const EximDriver& driver : drivers) {
    if (condition(driver)) names.push_back(escape(driver.name));
  }
  return names;
}

MaybeVerdict router_without_dnssec(const Facts& facts) {
  const EximFacts* exim = looked_at(facts);
  if (exim == nullptr) return std::nullopt;
  const auto names = names_where(exim->routers, [](const EximDriver& router) {
    return value_of(router.options, "dnssec_request_domains").empty();
  });
  if (names.empty()) return std::nullopt;
  return by_advice(
      fmt::format("Router {}: dnssec_request_domains is empty, and mail through it goes "
                  "out without DANE.",
                  fmt::join(names, ", ")),
      "in Exim's configuration, in that router: dnssec_request_domains = *");
}

MaybeVerdict without_dane(const Facts& facts) {
  const EximFacts* exim = looked_at(facts);
  if (exim == nullptr) return std::nullopt;
  const auto names = names_where(exim->transports, [](const EximDriver& transport) {
    return value_of(transport.options, "hosts_try_dane").empty() &&
           value_of(transport.options, "hosts_require_dane").empty();
  });
  if (names.empty()) return std::nullopt;
  return by_advice(
      fmt::format("Transport {}: hosts_try_dane is empty, and mail through it goes out "
                  "without DANE.",
                  fmt::join(names, ", ")),
      "in Exim's configuration, in that transport: hosts_try_dane = *");
}

MaybeVerdict requires_dane(const Facts& facts) {
  const EximFacts* exim = looked_at(facts);
  if (exim == nullptr) return std::nullopt;
  const auto names = names_where(exim->transports, [](const EximDriver& transport) {
    return !value_of(transport.options, "hosts_require_dane").empty();
  });
  if (names.empty()) return std::nullopt;
  return by_advice(
      fmt::format("Transport {}: with hosts_require_dane a lookup that is not signed bounces mail "
                  "instead of deferring it.",
                  fmt::join(names, ", ")),
      "in Exim's configuration: remove hosts_require_dane, and let the router demand it "
      "(dnssec_require_domains), which defers");
}

/// Options that are lists of hosts: one whose expansion fails counts as "not in the list".
constexpr std::array<std::string_view, 6> kHostLists{
    "hosts_require_tls", "hosts_require_dane",        "hosts_try_dane",
    "tls_verify_hosts",  "tls_verify_cert_hostnames", "tls_try_verify_hosts"};

MaybeVerdict asks_in_transport(const Facts& facts) {
  const EximFacts* exim = looked_at(facts);
  if (exim == nullptr) return std::nullopt;
  std::vector<std::string> found;
  for (const EximDriver& transport : exim->transports) {
    for (const std::string_view option : kHostLists) {
      const bool asks = value_of(transport.options, option).find("readsocket") != std::string::npos;
      if (asks) found.push_back(escape(fmt::format("{} of transport {}", option, transport.name)));
    }
  }
  if (found.empty()) return std::nullopt;
  return by_advice(
      fmt::format("{} asks a socket: if that fails, Exim takes it for \"no host\", and "
                  "mail goes out in the clear.",
                  fmt::join(found, ", ")),
      "ask once, in a router's address_data, and use ${extract} in the transport");
}

constexpr std::array kChecks{
    Check{"exim-unreadable", Grade::error, unreadable},
    Check{"exim-no-trust-ad", Grade::error, no_trust_ad},
    Check{"exim-no-dnssec", Grade::error, no_dnssec},
    Check{"exim-router-no-dnssec", Grade::error, router_without_dnssec},
    Check{"exim-asks-in-transport", Grade::error, asks_in_transport},
    Check{"exim-no-dane", Grade::warning, without_dane},
    Check{"exim-trust-aa", Grade::warning, trust_aa},
    Check{"exim-requires-dane", Grade::warning, requires_dane},
};

}  // namespace

std::span<const Check> exim_checks() { return kChecks; }

}  // namespace sealane::doctor

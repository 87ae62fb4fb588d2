// SPDX-License-Identifier: Apache-2.0
// What else is in main.cf, in master.cf and in the chroot.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "adapters/dns/name_servers.h"
#include "base/text.h"
#include "cli/doctor/checks.h"

namespace sealane::doctor {
namespace {

using MaybeVerdict = std::optional<Verdict>;

/// Parameters that decide how mail is protected: a service that has its own goes its own way.
constexpr std::array<std::string_view, 11> kGuarded{"smtp_tls_policy_maps",
                                                    "smtp_tls_security_level",
                                                    "smtp_tls_CAfile",
                                                    "smtp_tls_CApath",
                                                    "smtp_tls_dane_insecure_mx_policy",
                                                    "smtp_tls_mandatory_protocols",
                                                    "smtp_dns_support_level",
                                                    "smtp_host_lookup",
                                                    "ignore_mx_lookup_error",
                                                    "smtp_use_tls",
                                                    "smtp_enforce_tls"};

/// What TLS was configured with before smtp_tls_security_level and policy maps.
constexpr std::array<std::string_view, 4> kObsolete{
    "smtp_use_tls", "smtp_enforce_tls", "smtp_tls_per_site", "smtp_tls_enforce_peername"};

MaybeVerdict service_override(const Facts& facts) {
  const PostfixFacts* postfix = usable_postfix(facts);
  if (postfix == nullptr) return std::nullopt;
  std::vector<std::string> found;
  Verdict verdict;
  for (const Service& service : postfix->services) {
    for (const auto& [name, value] : service.overrides) {
      const bool guarded = std::find(kGuarded.begin(), kGuarded.end(), name) != kGuarded.end();
      if (!guarded || value == postfix->value(name)) continue;
      found.push_back(escape(fmt::format("{}: {} = {}", service.name, name, value)));
      verdict.commands.push_back(
          drop_parameter(*postfix, fmt::format("{}/{}", service.name, name)));
    }
  }
  if (found.empty()) return std::nullopt;
  verdict.text = fmt::format(
      "master.cf overrides what main.cf says ({}): mail of that service is protected differently, "
      "or is held.",
      fmt::join(found, "; "));
  verdict.advice = "leave it if the service does not deliver to the Internet";
  return verdict;
}

MaybeVerdict obsolete(const Facts& facts) {
  const PostfixFacts* postfix = usable_postfix(facts);
  if (postfix == nullptr) return std::nullopt;
  std::vector<std::string_view> found;
  Verdict verdict;
  for (const std::string_view name : kObsolete) {
    const auto& written = postfix->written;
    if (std::find(written.begin(), written.end(), name) == written.end()) continue;
    found.push_back(name);
    verdict.commands.push_back(drop_parameter(*postfix, name));
  }
  if (found.empty()) return std::nullopt;
  const bool has_level = !postfix->value("smtp_tls_security_level").empty();
  if (!has_level) {
    verdict.commands.insert(verdict.commands.begin(),
                            set_parameter(*postfix, "smtp_tls_security_level",
                                          postfix->level() == "none" ? "may" : postfix->level()));
  }
  verdict.text = fmt::format(
      "{} in main.cf: superseded by smtp_tls_security_level and policy maps, beside which Postfix "
      "ignores it; newer versions have dropped it.",
      fmt::join(found, ", "));
  return verdict;
}

MaybeVerdict typo(const Facts& facts) {
  const PostfixFacts* postfix = usable_postfix(facts);
  if (postfix == nullptr) return std::nullopt;
  std::vector<std::string> found;
  Verdict verdict;
  for (const std::string& name : postfix->unused) {
    const bool is_about_tls = name.starts_with("smtp_") || name.find("tls") != std::string::npos;
    if (!is_about_tls) continue;
    found.push_back(escape(name));
    verdict.commands.push_back(drop_parameter(*postfix, name));
  }
  if (found.empty()) return std::nullopt;
  verdict.text = fmt::format(
      "{} in main.cf: this Postfix has no such parameter, so whatever was meant does not protect "
      "any mail.",
      fmt::join(found, ", "));
  verdict.advice = "write it as postconf(5) does, or remove it";
  return verdict;
}

/// The servers that a resolv.conf names, as text.
std::string servers_in(const std::string& resolv_conf) {
  std::vector<std::string> texts;
  for (const NameServer& server : parse_resolv_conf(resolv_conf)) texts.push_back(to_text(server));
  return fmt::format("{}", fmt::join(texts, ", "));
}

MaybeVerdict chroot_resolv_conf(const Facts& facts) {
  const PostfixFacts* postfix = usable_postfix(facts);
  if (postfix == nullptr || !postfix->any_chroot()) return std::nullopt;
  const std::string inside = postfix->chroot_resolv_conf.value_or("");
  if (servers_in(inside) == servers_in(facts.resolv_conf)) return std::nullopt;
  const std::string file = std::string(postfix->value("queue_directory")) + "/etc/resolv.conf";
  return Verdict{
      fmt::format(
          "{} {}, while /etc/resolv.conf has {}: Postfix in its chroot asks another "
          "resolver than this host, and without DNSSEC there mail is deferred or loses DANE.",
          escape(file), postfix->chroot_resolv_conf ? "names " + servers_in(inside) : "is missing",
          servers_in(facts.resolv_conf)),
      {fmt::format("install -D -m 644 /etc/resolv.conf {}", shell_word(file))},
      "restart Postfix after it"};
}

constexpr std::array kChecks{
    Check{"postfix-chroot-resolv-conf", Grade::error, chroot_resolv_conf},
    Check{"postfix-service-override", Grade::warning, service_override},
    Check{"postfix-obsolete", Grade::warning, obsolete},
    Check{"postfix-typo", Grade::warning, typo},
};

}  // namespace

std::span<const Check> postfix_file_checks() { return kChecks; }

}  // namespace sealane::doctor

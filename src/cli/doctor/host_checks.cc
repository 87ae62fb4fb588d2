// SPDX-License-Identifier: Apache-2.0
// Whether this machine lets the daemon do its work: configuration, resolver, CA certificates,
// clock.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "cli/doctor/checks.h"

namespace sealane::doctor {
namespace {

using MaybeVerdict = std::optional<Verdict>;

/// The year of this version: a clock that shows an earlier one is wrong.
constexpr int kFirstYear = 2026;
/// Nor does anybody run this in a century; a clock that jumped ahead makes everything expire.
constexpr int kLastYear = 2126;

MaybeVerdict bad_config(const Facts& facts) {
  if (facts.config_problem.empty()) return std::nullopt;
  return Verdict{
      fmt::format("The configuration cannot be used, so that sealaned does not start and "
                  "mail is deferred (4.7.5): {}.",
                  escape(facts.config_problem, 1024)),
      {},
      fmt::format("correct it, and try: sealaned --check-config --config {}",
                  shell_word(facts.config_file))};
}

MaybeVerdict bad_overrides(const Facts& facts) {
  if (facts.override_problems.empty()) return std::nullopt;
  constexpr std::size_t kShown = 3;
  const std::size_t count = facts.override_problems.size();
  std::vector<std::string> shown;
  for (std::size_t i = 0; i < std::min(count, kShown); ++i) {
    shown.push_back(escape(facts.override_problems[i], 512));
  }
  const std::string more = count > kShown ? fmt::format("; and {} more", count - kShown) : "";
  return Verdict{
      fmt::format("The overrides cannot be used; sealaned does not start with them, and a "
                  "running one keeps older ones: {}{}.",
                  fmt::join(shown, "; "), more),
      {},
      "correct the lines, and try: sealane override list"};
}

MaybeVerdict no_daemon(const Facts& facts) {
  const DaemonFacts& daemon = facts.daemon;
  if (daemon.answered || daemon.forbidden) return std::nullopt;
  return Verdict{fmt::format("The daemon does not answer ({}): an MTA that asks it defers all mail "
                             "(4.7.5).",
                             escape(daemon.problem)),
                 {"systemctl start sealaned"},
                 "its log says why it does not run: journalctl -u sealaned"};
}

MaybeVerdict not_asked(const Facts& facts) {
  if (!facts.daemon.forbidden) return std::nullopt;
  return Verdict{
      "You may not ask the daemon, nor try the sockets as Postfix does; what it would say "
      "of itself is not known.",
      {},
      "run sealane doctor as root"};
}

MaybeVerdict daemon_warns(const Facts& facts) {
  if (facts.daemon.warnings.empty()) return std::nullopt;
  return Verdict{fmt::format("The daemon warns: {}.", fmt::join(facts.daemon.warnings, "; ")),
                 {},
                 "it looks at its set-up when it starts: restart sealaned once this is mended"};
}

MaybeVerdict unsent_reports(const Facts& facts) {
  if (facts.daemon.tlsrpt_problem.empty()) return std::nullopt;
  return Verdict{fmt::format("Nobody took the last TLSRPT report ({}): domains are not told what "
                             "fails. Mail is not affected.",
                             facts.daemon.tlsrpt_problem),
                 {},
                 "let the collector run, and let the daemon's user write to its socket; or correct "
                 "tlsrpt.socket and restart sealaned"};
}

MaybeVerdict observing(const Facts& facts) {
  if (!facts.config.decision.observe) return std::nullopt;
  return Verdict{
      "policy.mode = observe: every question is answered \"not found\", and no mail is "
      "protected by DANE or MTA-STS.",
      {set_option(facts, "policy.mode", "enforce")},
      "restart sealaned after it"};
}

MaybeVerdict dane_off(const Facts& facts) {
  if (facts.config.trust_ad != AdTrust::never) return std::nullopt;
  return Verdict{"resolver.trust-ad = never: mail to every domain with DANE goes out without it.",
                 {set_option(facts, "resolver.trust-ad", "loopback")},
                 "needs a validating resolver on this host; restart sealaned after it"};
}

MaybeVerdict forgetful_store(const Facts& facts) {
  if (!facts.store_is_volatile) return std::nullopt;
  return Verdict{
      fmt::format("store.url = sqlite:{} is kept in memory only: with the next restart of "
                  "the machine every MTA-STS policy is forgotten, and until the next "
                  "contact mail can be downgraded.",
                  escape(facts.config.store_path)),
      {set_option(facts, "store.url", "sqlite:" + std::string(kDefaultStore))},
      "stop sealaned first, and move the file there"};
}

MaybeVerdict no_resolver(const Facts& facts) {
  if (facts.resolver.unusable.empty()) return std::nullopt;
  return Verdict{fmt::format("sealaned does not start, so that mail is deferred (4.7.5): {}.",
                             escape(facts.resolver.unusable, 512)),
                 {"apt-get install unbound",
                  "printf 'nameserver 127.0.0.1\\noptions edns0 trust-ad\\n' > /etc/resolv.conf"},
                 "if a program writes resolv.conf, tell it there"};
}

std::string complaints(const std::vector<ResolverFact>& resolvers) {
  std::vector<std::string> texts;
  for (const ResolverFact& resolver : resolvers) {
    if (!resolver.passed) texts.push_back(escape(resolver.text));
  }
  return fmt::format("{}", fmt::join(texts, "; "));
}

MaybeVerdict failing_resolver(const Facts& facts) {
  const std::string wrong = complaints(facts.resolver.ours);
  if (wrong.empty()) return std::nullopt;
  return Verdict{
      fmt::format("A resolver fails its self-test ({}): as long as none passes, all mail "
                  "is deferred.",
                  wrong),
      {},
      "let the resolver validate: in unbound, auto-trust-anchor-file and no "
      "val-permissive-mode; and look at the clock and at the way to the root servers"};
}

/// The name servers of resolv.conf that are not those of the daemon.
std::vector<ResolverFact> others(const Facts& facts) {
  std::vector<ResolverFact> found;
  for (const ResolverFact& theirs : facts.resolver.system) {
    const bool is_ours =
        std::any_of(facts.resolver.ours.begin(), facts.resolver.ours.end(),
                    [&theirs](const ResolverFact& ours) { return ours.server == theirs.server; });
    if (!is_ours) found.push_back(theirs);
  }
  return found;
}

MaybeVerdict other_resolver(const Facts& facts) {
  const PostfixFacts* postfix = usable_postfix(facts);
  const bool needs_none = postfix != nullptr && only_pins(*postfix) && !facts.exim;
  const std::string wrong = complaints(others(facts));
  if (wrong.empty() || needs_none) return std::nullopt;
  return Verdict{
      fmt::format("/etc/resolv.conf, which the MTA uses, names a resolver without DNSSEC "
                  "({}): \"dane\" silently means \"may\", and all mail for \"dane-only\" "
                  "is deferred.",
                  wrong),
      {},
      "let the MTA use the resolver that sealaned uses: nameserver 127.0.0.1 alone in "
      "/etc/resolv.conf"};
}

MaybeVerdict remote_resolver(const Facts& facts) {
  std::vector<std::string> remote;
  for (const ResolverFact& resolver : facts.resolver.system) {
    if (resolver.passed && !resolver.loopback) remote.push_back(resolver.server);
  }
  if (remote.empty()) return std::nullopt;
  return Verdict{
      fmt::format("/etc/resolv.conf names {}, not on this host: who sits in between forges "
                  "what the MTA takes for signed, and diverts mail under DANE.",
                  fmt::join(remote, ", ")),
      {},
      "run a validating resolver here, and have nameserver 127.0.0.1 alone in "
      "/etc/resolv.conf"};
}

MaybeVerdict no_canary(const Facts& facts) {
  const bool tests = facts.config.bogus_canary || facts.config.trust_ad == AdTrust::never;
  if (tests || !facts.config_problem.empty()) return std::nullopt;
  return Verdict{
      "Whether the resolver also refuses wrong signatures is not tested: a permissive one "
      "looks the same until somebody forges.",
      {},
      "name a domain with wrong signatures in resolver.bogus-canary"};
}

MaybeVerdict bad_ca(const Facts& facts) {
  const CaFile& ca = facts.ca;
  const bool all_over = ca.problem.empty() && ca.expired == ca.certificates;
  if (ca.problem.empty() && !all_over) return std::nullopt;
  Verdict verdict;
  verdict.text = fmt::format(
      "The CA certificates cannot be used ({}): no MTA-STS policy can be fetched, and mail goes "
      "out "
      "as if there were none.",
      all_over ? escape(ca.path) + ": all have expired" : escape(ca.problem));
  verdict.commands.emplace_back("apt-get install --reinstall ca-certificates");
  if (!facts.config.ca_file.empty()) verdict.advice = "or correct sts.ca-file";
  return verdict;
}

MaybeVerdict wrong_clock(const Facts& facts) {
  if (facts.clock.year >= kFirstYear && facts.clock.year <= kLastYear) return std::nullopt;
  return Verdict{fmt::format("The clock shows the year {}: signatures and certificates look wrong, "
                             "and mail is deferred.",
                             facts.clock.year),
                 {"timedatectl set-ntp true"},
                 ""};
}

MaybeVerdict free_clock(const Facts& facts) {
  if (facts.clock.synchronised) return std::nullopt;
  return Verdict{
      "The clock is not synchronised: if it drifts, signatures and certificates look wrong, "
      "and mail is deferred.",
      {"timedatectl set-ntp true"},
      ""};
}

constexpr std::array kChecks{
    Check{"config-unusable", Grade::error, bad_config},
    Check{"overrides-unusable", Grade::error, bad_overrides},
    Check{"daemon-down", Grade::error, no_daemon},
    Check{"resolver-none", Grade::error, no_resolver},
    Check{"resolver-self-test", Grade::error, failing_resolver},
    Check{"resolver-other", Grade::error, other_resolver},
    Check{"ca-unusable", Grade::error, bad_ca},
    Check{"clock-wrong", Grade::error, wrong_clock},
    Check{"daemon-warns", Grade::warning, daemon_warns},
    Check{"tlsrpt-unsent", Grade::warning, unsent_reports},
    Check{"dane-off", Grade::warning, dane_off},
    Check{"store-volatile", Grade::warning, forgetful_store},
    Check{"resolver-remote", Grade::warning, remote_resolver},
    Check{"policy-observe", Grade::warning, observing},
    Check{"daemon-not-asked", Grade::note, not_asked},
    Check{"resolver-no-canary", Grade::note, no_canary},
    Check{"clock-free", Grade::note, free_clock},
};

}  // namespace

std::span<const Check> host_checks() { return kChecks; }

}  // namespace sealane::doctor

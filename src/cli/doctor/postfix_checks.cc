// SPDX-License-Identifier: Apache-2.0
// Whether Postfix can carry out what the daemon answers.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <initializer_list>

#include "base/text.h"
#include "cli/doctor/checks.h"
#include "server/postfix_reply.h"
#include "server/postfix_words.h"

namespace sealane::doctor {
namespace {

using MaybeVerdict = std::optional<Verdict>;

/// Postfix, if it is to do DANE by itself.
const PostfixFacts* doing_dane(const Facts& facts) {
  const PostfixFacts* postfix = usable_postfix(facts);
  if (postfix == nullptr || facts.config.trust_ad == AdTrust::never) return nullptr;
  return only_pins(*postfix) ? nullptr : postfix;
}

bool has_word(std::string_view list, std::string_view word) {
  const auto all = postfix_list(list);
  return std::find(all.begin(), all.end(), word) != all.end();
}

Verdict by_command(std::string text, std::string command) {
  return {std::move(text), {std::move(command)}, ""};
}

std::string default_level_of(const Facts& facts) {
  for (const ConfigOption& option : config_options()) {
    if (option.name == "policy.default-level") return option.get(facts.config).front();
  }
  return {};
}

MaybeVerdict no_tls(const Facts& facts) {
  const PostfixFacts* postfix = usable_postfix(facts);
  if (postfix == nullptr || postfix->level() != "none") return std::nullopt;
  return by_command(
      "smtp_tls_security_level is off: mail to every domain that demands nothing goes out in the "
      "clear.",
      set_parameter(*postfix, "smtp_tls_security_level", "may"));
}

MaybeVerdict other_level(const Facts& facts) {
  const PostfixFacts* postfix = usable_postfix(facts);
  if (postfix == nullptr || postfix->level() == "none") return std::nullopt;
  const std::string_view level = postfix->level();
  const std::string ours = default_level_of(facts);
  if (level == ours) return std::nullopt;
  return Verdict{
      fmt::format("main.cf says smtp_tls_security_level = {}, sealane.conf "
                  "policy.default-level = {}: an answer may lower the level that main.cf "
                  "demands, or hold mail for it.",
                  escape(level), ours),
      {set_option(facts, "policy.default-level", level)},
      "restart sealaned after it"};
}

MaybeVerdict no_ca(const Facts& facts) {
  const PostfixFacts* postfix = usable_postfix(facts);
  if (postfix == nullptr) return std::nullopt;
  const bool any = !postfix->ca_file.path.empty() || !postfix->value("smtp_tls_CApath").empty();
  if (any) return std::nullopt;
  const std::string file = facts.ca.problem.empty() && !facts.ca.path.empty()
                               ? facts.ca.path
                               : "/etc/ssl/certs/ca-certificates.crt";
  return by_command(
      "Neither smtp_tls_CAfile nor smtp_tls_CApath is set: no certificate is valid, and all mail "
      "to "
      "domains with MTA-STS is deferred.",
      set_parameter(*postfix, "smtp_tls_CAfile", file));
}

MaybeVerdict bad_ca(const Facts& facts) {
  const PostfixFacts* postfix = usable_postfix(facts);
  if (postfix == nullptr || postfix->ca_file.path.empty()) return std::nullopt;
  const CaFile& file = postfix->ca_file;
  const bool all_over = file.problem.empty() && file.expired == file.certificates;
  if (file.problem.empty() && !all_over) return std::nullopt;
  Verdict verdict;
  verdict.text = fmt::format(
      "smtp_tls_CAfile cannot be used ({}): all mail to domains with MTA-STS is deferred.",
      all_over ? escape(file.path) + ": all certificates have expired" : escape(file.problem));
  const bool other = facts.ca.problem.empty() && facts.ca.path != file.path;
  if (other) {
    verdict.commands.push_back(set_parameter(*postfix, "smtp_tls_CAfile", facts.ca.path));
  } else {
    verdict.advice = "install the package ca-certificates";
  }
  return verdict;
}

MaybeVerdict ca_outside_chroot(const Facts& facts) {
  const PostfixFacts* postfix = usable_postfix(facts);
  if (postfix == nullptr || !postfix->ca_file.path.empty()) return std::nullopt;
  if (postfix->value("smtp_tls_CApath").empty() || postfix->ca_path_in_chroot) return std::nullopt;
  return by_command(
      fmt::format("smtp_tls_CApath = {} is not there in Postfix's chroot: no certificate is valid, "
                  "and all mail to domains with MTA-STS is deferred.",
                  escape(postfix->value("smtp_tls_CApath"))),
      set_parameter(*postfix, "smtp_tls_CAfile", "/etc/ssl/certs/ca-certificates.crt"));
}

MaybeVerdict no_dnssec(const Facts& facts) {
  const PostfixFacts* postfix = doing_dane(facts);
  if (postfix == nullptr) return std::nullopt;
  if (postfix->value("smtp_dns_support_level") == "dnssec") return std::nullopt;
  return by_command(
      "smtp_dns_support_level is not dnssec: \"dane\" silently means \"may\", and all mail for "
      "\"dane-only\" is deferred (4.7.5).",
      set_parameter(*postfix, "smtp_dns_support_level", "dnssec"));
}

MaybeVerdict no_dns(const Facts& facts) {
  const PostfixFacts* postfix = doing_dane(facts);
  if (postfix == nullptr || has_word(postfix->value("smtp_host_lookup"), "dns"))
    return std::nullopt;
  return by_command(
      "smtp_host_lookup lacks dns: \"dane\" silently means \"may\", and all mail for \"dane-only\" "
      "is deferred (4.7.5).",
      set_parameter(*postfix, "smtp_host_lookup", "dns"));
}

MaybeVerdict ignored_mx_errors(const Facts& facts) {
  const PostfixFacts* postfix = doing_dane(facts);
  if (postfix == nullptr || postfix->value("ignore_mx_lookup_error") != "yes") return std::nullopt;
  return by_command(
      "ignore_mx_lookup_error is on: who disturbs the MX lookup diverts mail, and \"dane\" "
      "silently "
      "means \"may\".",
      set_parameter(*postfix, "ignore_mx_lookup_error", "no"));
}

MaybeVerdict search_list(const Facts& facts) {
  const PostfixFacts* postfix = doing_dane(facts);
  if (postfix == nullptr) return std::nullopt;
  const std::string_view options = postfix->value("smtp_dns_resolver_options");
  if (!has_word(options, "res_defnames") && !has_word(options, "res_dnsrch")) return std::nullopt;
  return by_command(
      "smtp_dns_resolver_options lets the resolver append domains: \"dane\" silently means "
      "\"may\", "
      "and all mail for \"dane-only\" is deferred (4.7.5).",
      set_parameter(*postfix, "smtp_dns_resolver_options", ""));
}

MaybeVerdict insecure_mx(const Facts& facts) {
  const PostfixFacts* postfix = doing_dane(facts);
  if (postfix == nullptr || facts.config.decision.insecure_mx_may) return std::nullopt;
  const auto policy = postfix->values.find("smtp_tls_dane_insecure_mx_policy");
  if (policy == postfix->values.end() || policy->second == "dane") return std::nullopt;
  return by_command(
      fmt::format(
          "smtp_tls_dane_insecure_mx_policy is {}: TLSA records behind an unsigned MX record "
          "count for less than policy.insecure-mx = dane says.",
          escape(policy->second)),
      set_parameter(*postfix, "smtp_tls_dane_insecure_mx_policy", "dane"));
}

MaybeVerdict patterns_off(const Facts& facts) {
  const PostfixFacts* postfix = usable_postfix(facts);
  if (postfix == nullptr) return std::nullopt;
  if (postfix->value("smtp_tls_enforce_sts_mx_patterns") != "no") return std::nullopt;
  return by_command(
      "smtp_tls_enforce_sts_mx_patterns is off: with MTA-STS, mail also goes to hosts that the "
      "policy does not name, if they show a certificate that it does.",
      set_parameter(*postfix, "smtp_tls_enforce_sts_mx_patterns", "yes"));
}

MaybeVerdict digest(const Facts& facts) {
  const PostfixFacts* postfix = usable_postfix(facts);
  if (postfix == nullptr) return std::nullopt;
  const bool pins =
      std::any_of(postfix->tables.begin(), postfix->tables.end(), [](const PolicyTable& table) {
        return table.is_ours && dialect_named(table.map_name) == Dialect::postfix_pins;
      });
  const std::string_view digest = postfix->value("smtp_tls_fingerprint_digest");
  if (!pins || digest == "sha256") return std::nullopt;
  return by_command(
      fmt::format(
          "smtp_tls_fingerprint_digest is {}, and the map postfix-pins answers with SHA-256: "
          "nothing matches, and mail to every domain with DANE is deferred.",
          escape(digest)),
      set_parameter(*postfix, "smtp_tls_fingerprint_digest", "sha256"));
}

constexpr std::array<std::string_view, 5> kProtocols{"sslv3", "tlsv1", "tlsv1.1", "tlsv1.2",
                                                     "tlsv1.3"};

/// The place of a protocol among them, by name or as a number in hexadecimal ("0303").
std::optional<std::size_t> rank_of(std::string_view name) {
  const auto found = std::find(kProtocols.begin(), kProtocols.end(), name);
  if (found != kProtocols.end()) return static_cast<std::size_t>(found - kProtocols.begin());
  const bool is_number = name.size() == 4 && name.starts_with("030");
  const auto digit =
      is_number ? parse_decimal(name.substr(3), kProtocols.size() - 1) : std::nullopt;
  if (!digit) return std::nullopt;
  return static_cast<std::size_t>(*digit);
}

/// Whether a value of smtp_tls_mandatory_protocols allows a protocol.  As Postfix reads it: bounds,
/// exclusions, and, if any is named bare, only those.  A word that is none is no bound.
bool allows(std::string_view value, std::string_view protocol) {
  const std::size_t wanted = rank_of(protocol).value();
  std::string text = lower_ascii(value);
  std::replace(text.begin(), text.end(), ':', ' ');
  bool is_named = false;
  bool any_named = false;
  for (const std::string_view word : postfix_list(text)) {
    const std::string_view rest = word.substr(std::min<std::size_t>(2, word.size()));
    if (word.starts_with(">=") && wanted < rank_of(rest).value_or(0)) return false;
    if (word.starts_with("<=") && wanted > rank_of(rest).value_or(wanted)) return false;
    if (word.starts_with('!') && rank_of(word.substr(1)) == wanted) return false;
    const std::optional<std::size_t> bare = rank_of(word);
    any_named = any_named || bare.has_value();
    is_named = is_named || bare == wanted;
  }
  return is_named || !any_named;
}

MaybeVerdict old_tls(const Facts& facts) {
  const PostfixFacts* postfix = usable_postfix(facts);
  if (postfix == nullptr) return std::nullopt;
  const std::string_view value = postfix->value("smtp_tls_mandatory_protocols");
  if (!allows(value, "sslv3")) return std::nullopt;
  return by_command(
      fmt::format(
          "smtp_tls_mandatory_protocols = {} allows SSLv3: an attacker on the way can break "
          "the protection that a policy demands.",
          escape(value)),
      set_parameter(*postfix, "smtp_tls_mandatory_protocols", ">=TLSv1.2"));
}

MaybeVerdict narrow_tls(const Facts& facts) {
  const PostfixFacts* postfix = usable_postfix(facts);
  if (postfix == nullptr) return std::nullopt;
  const std::string_view value = postfix->value("smtp_tls_mandatory_protocols");
  if (allows(value, "tlsv1.2")) return std::nullopt;
  return by_command(
      fmt::format(
          "smtp_tls_mandatory_protocols = {} excludes TLS 1.2: mail to domains with a policy "
          "is deferred where a host has nothing newer.",
          escape(value)),
      set_parameter(*postfix, "smtp_tls_mandatory_protocols", ">=TLSv1.2"));
}

MaybeVerdict idna2003(const Facts& facts) {
  const PostfixFacts* postfix = usable_postfix(facts);
  if (postfix == nullptr) return std::nullopt;
  if (postfix->value("enable_idna2003_compatibility") != "yes") return std::nullopt;
  return by_command(
      "enable_idna2003_compatibility is on: Postfix delivers mail for some domains (a sharp s "
      "becomes "
      "ss) to another one than that whose policy is looked up.",
      set_parameter(*postfix, "enable_idna2003_compatibility", "no"));
}

MaybeVerdict no_smtputf8(const Facts& facts) {
  const PostfixFacts* postfix = usable_postfix(facts);
  if (postfix == nullptr || postfix->value("smtputf8_enable") != "no") return std::nullopt;
  return by_command(
      "smtputf8_enable is off: Postfix does not convert domains in other scripts, so mail to them "
      "fails before a policy is asked for.",
      set_parameter(*postfix, "smtputf8_enable", "yes"));
}

MaybeVerdict srv(const Facts& facts) {
  const PostfixFacts* postfix = usable_postfix(facts);
  if (postfix == nullptr || postfix->value("use_srv_lookup").empty()) return std::nullopt;
  return by_command(
      "use_srv_lookup is set: Postfix delivers to hosts of SRV records, while the policy is made "
      "of "
      "the MX records.",
      set_parameter(*postfix, "use_srv_lookup", ""));
}

std::string_view name_of(Families families) {
  switch (families) {
    case Families::any:
      return "any";
    case Families::ipv4:
      return "ipv4";
    case Families::ipv6:
      return "ipv6";
  }
  return "any";
}

MaybeVerdict other_families(const Facts& facts) {
  const PostfixFacts* postfix = usable_postfix(facts);
  if (postfix == nullptr) return std::nullopt;
  const std::string_view protocols = postfix->value("inet_protocols");
  const bool v4 = has_word(protocols, "ipv4") || has_word(protocols, "all");
  const bool v6 = has_word(protocols, "ipv6") || has_word(protocols, "all");
  const std::string_view theirs = v4 == v6 ? "any" : v4 ? "ipv4" : "ipv6";
  if (theirs == name_of(facts.families)) return std::nullopt;
  // Without a word in sealane.conf the routes decide, and where there is no way nobody delivers.
  if (!facts.config.families && theirs == "any") return std::nullopt;
  return Verdict{fmt::format("inet_protocols = {}, but resolver.families is {}: the answer is made "
                             "for other mail hosts than those that Postfix uses.",
                             escape(protocols), name_of(facts.families)),
                 {set_option(facts, "resolver.families", theirs)},
                 "restart sealaned after it"};
}

MaybeVerdict wrapper(const Facts& facts) {
  const PostfixFacts* postfix = usable_postfix(facts);
  if (postfix == nullptr || postfix->value("smtp_tls_wrappermode") != "yes") return std::nullopt;
  const std::string_view relay = postfix->value("relayhost");
  const bool is_meant =
      relay.ends_with(":465") || relay.ends_with(":smtps") || relay.ends_with(":submissions");
  if (is_meant) return std::nullopt;
  return by_command(
      "smtp_tls_wrappermode is on: Postfix begins with TLS on port 25, which no mail host "
      "understands, and no mail leaves.",
      set_parameter(*postfix, "smtp_tls_wrappermode", "no"));
}

MaybeVerdict routed(const Facts& facts) {
  const PostfixFacts* postfix = usable_postfix(facts);
  if (postfix == nullptr) return std::nullopt;
  std::vector<std::string_view> set;
  for (const char* name : {"relayhost", "transport_maps", "sender_dependent_relayhost_maps"}) {
    if (!postfix->value(name).empty()) set.emplace_back(name);
  }
  if (postfix->value("default_transport").find(':') != std::string_view::npos) {
    set.emplace_back("default_transport");
  }
  if (set.empty()) return std::nullopt;
  return Verdict{fmt::format("{} sends mail to other next-hops than the recipient's domain: the "
                             "policy is that of the next-hop, and who relays for you must do the "
                             "rest.",
                             fmt::join(set, ", ")),
                 {},
                 "nothing is to be done if that is what you want; sealane query NEXT-HOP shows the "
                 "answer"};
}

constexpr std::array kChecks{
    Check{"postfix-level", Grade::error, other_level},
    Check{"postfix-no-tls", Grade::warning, no_tls},
    Check{"postfix-no-ca", Grade::error, no_ca},
    Check{"postfix-ca-unusable", Grade::error, bad_ca},
    Check{"postfix-ca-chroot", Grade::error, ca_outside_chroot},
    Check{"postfix-no-dnssec", Grade::error, no_dnssec},
    Check{"postfix-host-lookup", Grade::error, no_dns},
    Check{"postfix-mx-errors-ignored", Grade::error, ignored_mx_errors},
    Check{"postfix-search-list", Grade::error, search_list},
    Check{"postfix-insecure-mx", Grade::warning, insecure_mx},
    Check{"postfix-mx-patterns-off", Grade::warning, patterns_off},
    Check{"postfix-fingerprint-digest", Grade::error, digest},
    Check{"postfix-old-tls", Grade::warning, old_tls},
    Check{"postfix-narrow-tls", Grade::warning, narrow_tls},
    Check{"postfix-idna2003", Grade::error, idna2003},
    Check{"postfix-srv", Grade::error, srv},
    Check{"postfix-families", Grade::warning, other_families},
    Check{"postfix-wrappermode", Grade::error, wrapper},
    Check{"postfix-no-smtputf8", Grade::note, no_smtputf8},
    Check{"postfix-routed", Grade::note, routed},
};

}  // namespace

std::span<const Check> postfix_checks() { return kChecks; }

}  // namespace sealane::doctor

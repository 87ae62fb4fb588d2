// SPDX-License-Identifier: Apache-2.0
#include "server/postfix_reply.h"

#include <algorithm>
#include <array>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/text.h"
#include "server/postfix_words.h"

namespace sealane {
namespace {

constexpr std::string_view kNotFound = "NOTFOUND ";

std::string temporary(std::string_view domain_text, std::string_view reason) {
  std::string text = "TEMP ";
  if (!domain_text.empty()) text += printable(domain_text.substr(0, kMaxDomainLength)) + ": ";
  text += reason.empty() ? "no reason is known" : printable(reason);
  text.resize(std::min(text.size(), kMaxTemporaryReply));
  return text;
}

/// The hosts or patterns of an answer "sts" that can be said at all.
std::vector<PolicyName> policy_names(const Decision& decision) {
  std::vector<PolicyName> names;
  std::unordered_set<std::string> seen;
  const auto add = [&](std::optional<PolicyName> name) {
    if (name && seen.insert(name->match).second) names.push_back(std::move(*name));
  };
  if (decision.restricted) {
    for (const Domain& host : decision.hosts) add(policy_name(host.text()));
  } else {
    for (const MxPattern& pattern : decision.patterns) add(policy_name(pattern.text()));
  }
  return names;
}

std::string secure_with(const std::vector<PolicyName>& names) {
  std::string text = "OK secure match=";
  const char* separator = "";
  for (const PolicyName& name : names) {
    text += separator + name.match;
    separator = ":";
  }
  return text + " servername=hostname";
}

/// " policy_type=sts policy_domain=…", or nothing when Postfix would not take the domain.
std::string policy_attributes(const Decision& decision) {
  if (!is_postfix_hostname(decision.policy_domain)) return {};
  return " policy_type=sts policy_domain=" + decision.policy_domain;
}

std::string policy_strings(const Decision& decision) {
  std::string text;
  if (!decision.policy) return text;
  for (const std::string& published : decision.policy->lines) {
    const std::string_view line = trim(published);
    if (!is_policy_string(line)) continue;
    text += " { policy_string = ";
    text += line;
    text += " }";
  }
  return text;
}

/// Adds the policy for the report where it still fits: a report is worth less than an answer.
std::string with_policy_strings(std::string text, const Decision& decision) {
  const std::string strings = policy_strings(decision);
  if (text.size() + strings.size() <= kMaxReply) text += strings;
  return text;
}

std::string mx_host_patterns(const std::vector<PolicyName>& names) {
  std::string text;
  for (const PolicyName& name : names) {
    const bool is_wildcard = name.match.front() == '.';
    const std::string_view host = std::string_view(name.match).substr(is_wildcard ? 1 : 0);
    if (is_postfix_hostname(host)) text += " mx_host_pattern=" + name.pattern;
  }
  return text;
}

std::string secure_with_report(const Decision& decision, const std::vector<PolicyName>& names,
                               std::string_view domain_text) {
  const std::string attributes = policy_attributes(decision);
  const std::string patterns = mx_host_patterns(names);
  if (!attributes.empty() && !patterns.empty()) {
    return with_policy_strings(secure_with(names) + attributes + patterns, decision);
  }
  // match= alone is enough for a policy as published; a choice among its hosts was made for a
  // Postfix that enforces the choice.
  if (!decision.restricted) return secure_with(names);
  return temporary(domain_text, "the MX names cannot be expressed to the MTA");
}

std::string secure(const Decision& decision, Dialect dialect, std::string_view domain_text) {
  const std::vector<PolicyName> names = policy_names(decision);
  if (names.empty()) {
    return temporary(domain_text, "no name of the MTA-STS policy can be expressed to the MTA");
  }
  if (dialect != Dialect::postfix_tlsrpt) return secure_with(names);
  return secure_with_report(decision, names, domain_text);
}

std::string level(std::string_view word, const Decision& decision, Dialect dialect) {
  std::string text = "OK ";
  text += word;
  if (!decision.report_testing || dialect != Dialect::postfix_tlsrpt) return text;
  const std::string attributes = policy_attributes(decision);
  if (attributes.empty()) return text;
  return with_policy_strings(text + attributes, decision);
}

std::string fingerprints(const Decision& decision, std::string_view domain_text) {
  std::string text = "OK fingerprint match=";
  const char* separator = "";
  for (const std::string& pin : decision.fingerprints) {
    text += separator + pin;
    separator = "|";
  }
  if (decision.fingerprints.empty()) return temporary(domain_text, "no fingerprint is known");
  return text + " servername=hostname";
}

std::string policy_map_reply(const Decision& decision, Dialect dialect,
                             std::string_view domain_text) {
  switch (decision.action) {
    case Action::not_found:
      return std::string(kNotFound);
    case Action::may:
      return level("may", decision, dialect);
    case Action::encrypt:
      return level("encrypt", decision, dialect);
    case Action::dane:
      return "OK dane";
    case Action::dane_only:
      return "OK dane-only";
    case Action::sts:
      return secure(decision, dialect, domain_text);
    case Action::pins:
      return fingerprints(decision, domain_text);
    case Action::fixed:
      return is_fixed_reply(decision.fixed_reply)
                 ? "OK " + decision.fixed_reply
                 : temporary(domain_text, "the fixed reply of the override is not printable");
    case Action::temporary:
      break;
  }
  return temporary(domain_text, decision.reason);
}

/// The operator's words are a TLS policy; whether to enforce follows from its level.
std::string_view fixed_requirement(std::string_view reply) {
  constexpr std::array<std::string_view, 4> kAuthenticating{"dane-only", "fingerprint", "secure",
                                                            "verify"};
  const std::string word = first_word(reply);
  const bool is_known =
      std::find(kAuthenticating.begin(), kAuthenticating.end(), word) != kAuthenticating.end();
  return is_known ? "OK enforce" : kNotFound;
}

std::string requirement_reply(const Decision& decision, std::string_view domain_text) {
  switch (decision.action) {
    case Action::not_found:
    case Action::may:
    case Action::encrypt:
      return std::string(kNotFound);
    case Action::dane:
    case Action::dane_only:
    case Action::sts:
    case Action::pins:
      return "OK enforce";
    case Action::fixed:
      return std::string(fixed_requirement(decision.fixed_reply));
    case Action::temporary:
      break;
  }
  return temporary(domain_text, decision.reason);
}

/// Sendmail knows only "secure match=…"; words that lower a level are nothing it could obey.
std::string fixed_for_sendmail(const Decision& decision, std::string_view domain_text) {
  const std::string word = first_word(decision.fixed_reply);
  if (word == "none" || word == "may" || word == "dane") return std::string(kNotFound);
  std::vector<PolicyName> names;
  if (word == "secure") names = names_of_match(decision.fixed_reply);
  if (!names.empty()) return secure_with(names);
  return temporary(domain_text, "the fixed reply of the override cannot be said to Sendmail");
}

std::string sendmail_reply(const Decision& decision, std::string_view domain_text) {
  switch (decision.action) {
    case Action::sts:
      return secure(decision, Dialect::sendmail_sts, domain_text);
    case Action::fixed:
      return fixed_for_sendmail(decision, domain_text);
    case Action::temporary:
      return temporary(domain_text, decision.reason);
    case Action::not_found:
    case Action::may:
    case Action::encrypt:
    case Action::dane:
    case Action::dane_only:
    case Action::pins:
      break;
  }
  return std::string(kNotFound);
}

std::string unbounded_reply(const Decision& decision, Dialect dialect,
                            std::string_view domain_text) {
  switch (dialect) {
    case Dialect::postfix:
    case Dialect::postfix_tlsrpt:
    case Dialect::postfix_pins:
      return policy_map_reply(decision, dialect, domain_text);
    case Dialect::requiretls:
      return requirement_reply(decision, domain_text);
    case Dialect::sendmail_sts:
      return sendmail_reply(decision, domain_text);
    case Dialect::exim:
      break;
  }
  return temporary(domain_text, "internal error: an answer for Exim in a socketmap");
}

struct MapName {
  std::string_view name;
  Dialect dialect;
};
constexpr std::array<MapName, 7> kMapNames{{{"postfix", Dialect::postfix},
                                            {"QUERY", Dialect::postfix},
                                            {"postfix-tlsrpt", Dialect::postfix_tlsrpt},
                                            {"QUERYwithTLSRPT", Dialect::postfix_tlsrpt},
                                            {"postfix-pins", Dialect::postfix_pins},
                                            {"requiretls", Dialect::requiretls},
                                            {"sts", Dialect::sendmail_sts}}};

}  // namespace

std::string postfix_reply(const Decision& decision, Dialect dialect, std::string_view domain_text) {
  std::string text = unbounded_reply(decision, dialect, domain_text);
  if (text.size() > kMaxReply) return temporary(domain_text, "the answer is too long for the MTA");
  return text;
}

std::optional<Dialect> dialect_named(std::string_view map_name) {
  for (const MapName& known : kMapNames) {
    if (known.name == map_name) return known.dialect;
  }
  return std::nullopt;
}

std::vector<std::string> map_names(Dialect dialect) {
  std::vector<std::string> names;
  for (const MapName& known : kMapNames) {
    if (known.dialect == dialect) names.emplace_back(known.name);
  }
  return names;
}

std::string known_map_names() {
  std::string text;
  const char* separator = "";
  for (const MapName& known : kMapNames) {
    text += separator;
    text += known.name;
    separator = ", ";
  }
  return text;
}

}  // namespace sealane

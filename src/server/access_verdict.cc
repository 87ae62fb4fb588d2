// SPDX-License-Identifier: Apache-2.0
#include "server/access_verdict.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "server/postfix_words.h"

namespace sealane {
namespace {

constexpr std::string_view kHeader = "Sealane-Protection";
/// Octets of a domain or a reason that are told: the reply is one SMTP line (RFC 5321 4.5.3.1.5).
constexpr std::size_t kMaxToldDomain = 253;
constexpr std::size_t kMaxToldReason = 200;

std::string told(std::string_view text, std::size_t limit) {
  return printable(text.substr(0, limit));
}

std::string prepended(Protection protection, std::string_view domain) {
  // A header's value must not become another one: a domain has none of these in it.
  std::string name = told(domain, kMaxToldDomain);
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == ';' || c == ' '; }, '?');
  return fmt::format("PREPEND {}: {}; {}", kHeader, name, name_of(protection));
}

bool authenticates(std::string_view reply) {
  const std::string level = first_word(reply.substr(std::min(reply.size(), std::size_t{3})));
  return level == "dane-only" || level == "fingerprint" || level == "secure" || level == "verify";
}

}  // namespace

std::string_view name_of(Protection protection) {
  switch (protection) {
    case Protection::unknown:
      return "unknown";
    case Protection::none:
      return "none";
    case Protection::mta_sts:
      return "mta-sts";
    case Protection::dane:
      return "dane";
    case Protection::fixed:
      return "fixed";
  }
  return "unknown";
}

Protection protection_of(const Answer& answer) {
  if (answer.observed || answer.temporary()) return Protection::unknown;
  switch (answer.action) {
    case Action::temporary:
      return Protection::unknown;
    case Action::dane_only:
    case Action::pins:
      return Protection::dane;
    case Action::sts:
      return Protection::mta_sts;
    case Action::fixed:
      return authenticates(answer.reply) ? Protection::fixed : Protection::none;
    case Action::not_found:
    case Action::may:
    case Action::encrypt:
    case Action::dane:  // host by host: some are not authenticated
      break;
  }
  return answer.doubt.empty() ? Protection::none : Protection::unknown;
}

std::string access_action(const AccessRule& rule, const Answer& answer, std::string_view domain) {
  const Protection protection = protection_of(answer);
  const bool refuses = rule.require && !answer.observed;
  if (refuses && protection == Protection::unknown) {
    return fmt::format(
        "DEFER_IF_PERMIT 4.7.5 cannot find out yet whether {} can be reached "
        "securely: {}",
        told(domain, kMaxToldDomain),
        told(answer.temporary() ? answer.reason : answer.doubt, kMaxToldReason));
  }
  if (refuses && protection == Protection::none) {
    return fmt::format(
        "REJECT 5.7.10 {} publishes nothing by which all its mail servers could be "
        "authenticated (DANE, MTA-STS)",
        told(domain, kMaxToldDomain));
  }
  return rule.record ? prepended(protection, domain) : "DUNNO";
}

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
#include "server/exim_reply.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <unordered_set>
#include <utility>
#include <vector>

#include "policy/fixed_answer.h"

namespace sealane {
namespace {

/// Text that means itself inside "…" of ${extract}, and also if somebody expands it once more.
std::string quotable(std::string_view text) {
  constexpr std::string_view kSpecial = "\"\\${}`";
  std::string out(text);
  for (char& c : out) {
    const bool is_plain = c >= ' ' && c <= '~' && kSpecial.find(c) == std::string_view::npos;
    if (!is_plain) c = '?';
  }
  return out;
}

std::string temporary(std::string_view domain_text, std::string_view reason) {
  std::string text;
  if (!domain_text.empty()) text = std::string(domain_text.substr(0, kMaxDomainLength)) + ": ";
  text += reason.empty() ? std::string_view("no reason is known") : reason;
  return exim_temporary(text);
}

/// A regular expression for one host name.  Exim's own wildcard would take any depth, where a
/// policy means one label; and "[.]" is written because a backslash does not survive ${extract}.
std::optional<std::string> host_pattern(std::string_view name) {
  std::string out = "^";
  if (name.starts_with("*.")) {
    out += "[^.]+[.]";
    name.remove_prefix(2);
  }
  if (name.empty()) return std::nullopt;
  for (const char c : name) {
    const bool is_plain =
        (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
    if (!is_plain) return std::nullopt;
    if (c == '.') {
      out += "[.]";
    } else {
      out += c;
    }
  }
  return out + "$";
}

/// The hosts that may be used: those of the policy, and those that Exim judges by DANE.
std::vector<std::string> allowed_hosts(const Decision& decision) {
  std::vector<std::string> found;
  std::unordered_set<std::string> seen;
  const auto add = [&](std::string_view name) {
    auto pattern = host_pattern(name);
    if (pattern && seen.insert(*pattern).second) found.push_back(std::move(*pattern));
  };
  if (decision.restricted) {
    for (const Domain& host : decision.hosts) add(host.text());
  } else {
    for (const MxPattern& pattern : decision.patterns) add(pattern.text());
  }
  for (const Domain& host : decision.dane_hosts) add(host.text());
  return found;
}

std::string without_dane(const Decision& decision) {
  return decision.dane_possible ? "" : " dane=no";
}

/// Exim leaves out the hosts on a list: all but the allowed ones.
std::string secure(const Decision& decision, std::string_view domain_text) {
  const std::vector<std::string> hosts = allowed_hosts(decision);
  if (hosts.empty()) {
    return temporary(domain_text, "no name of the MTA-STS policy can be expressed to the MTA");
  }
  std::string text = "level=secure" + without_dane(decision) + " ignore=\"";
  for (const std::string& host : hosts) text += "!" + host + " : ";
  return text + "*\"";
}

std::string may(const Decision& decision) {
  std::string text = "level=may" + without_dane(decision);
  if (!decision.report_testing) return text;
  const std::vector<std::string> hosts = allowed_hosts(decision);
  if (hosts.empty()) return text;
  text += " mode=testing match=\"";
  const char* separator = "";
  for (const std::string& host : hosts) {
    text += separator + host;
    separator = "|";
  }
  return text + "\"";
}

std::string fixed(const Decision& decision, std::string_view domain_text) {
  const auto checked = check_exim_answer(decision.fixed_reply);
  if (checked) return decision.fixed_reply;
  return temporary(domain_text, "the fixed reply of the override: " + checked.error());
}

std::string unbounded(const Decision& decision, std::string_view domain_text) {
  switch (decision.action) {
    case Action::not_found:
      return "level=none";
    case Action::may:
    case Action::dane:  // Exim's own, host by host, under any level
      return may(decision);
    case Action::encrypt:
      return "level=encrypt" + without_dane(decision);
    case Action::dane_only:
      return "level=dane";
    case Action::sts:
      return secure(decision, domain_text);
    case Action::pins:
      return temporary(domain_text, "internal error: an answer for Postfix");
    case Action::fixed:
      return fixed(decision, domain_text);
    case Action::temporary:
      break;
  }
  return temporary(domain_text, decision.reason);
}

}  // namespace

std::string exim_temporary(std::string_view reason) {
  constexpr std::string_view kHead = "level=temp reason=\"";
  std::string text(kHead);
  text += quotable(reason.substr(0, kMaxEximTemporary - kHead.size() - 1));
  return text + "\"";
}

std::string exim_line(std::string_view reply, bool is_temporary, std::chrono::seconds left) {
  if (is_temporary) return std::string(reply);
  return fmt::format("{} ttl={}", reply, std::max<std::int64_t>(left.count(), 0));
}

std::string exim_reply(const Decision& decision, std::string_view domain_text) {
  std::string text = unbounded(decision, domain_text);
  if (text.size() > kMaxEximReply) {
    return temporary(domain_text, "the answer is too long for the MTA");
  }
  return text;
}

}  // namespace sealane

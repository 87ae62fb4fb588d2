// SPDX-License-Identifier: Apache-2.0
#include "policy/exposure.h"

#include <fmt/format.h>

#include <algorithm>

#include "server/postfix_reply.h"

namespace sealane {
namespace {

InForce level_named(const std::string& name) {
  static const std::map<std::string, InForce> levels{
      {"none", InForce::none},       {"may", InForce::may},
      {"encrypt", InForce::encrypt}, {"fingerprint", InForce::fingerprint},
      {"dane", InForce::dane},       {"dane-only", InForce::dane_only},
      {"verify", InForce::verify},   {"secure", InForce::secure}};
  return levels.at(name);
}

/// What main.cf says when the map has no answer.
InForce level_of(DefaultLevel level) {
  switch (level) {
    case DefaultLevel::none:
      return InForce::none;
    case DefaultLevel::may:
      return InForce::may;
    case DefaultLevel::encrypt:
      return InForce::encrypt;
    case DefaultLevel::dane:
      return InForce::dane;
    case DefaultLevel::dane_only:
      return InForce::dane_only;
    case DefaultLevel::fingerprint:
      return InForce::fingerprint;
    case DefaultLevel::verify:
      return InForce::verify;
    case DefaultLevel::secure:
      return InForce::secure;
  }
  return InForce::none;
}

InForce in_force(const PostfixAnswer& answer, DefaultLevel default_level) {
  switch (answer.kind) {
    case PostfixAnswer::Kind::temporary:
      return InForce::deferred;
    case PostfixAnswer::Kind::not_found:
      return level_of(default_level);
    case PostfixAnswer::Kind::policy:
      break;
  }
  return level_named(answer.level);
}

/// Level `dane`: a TLSA lookup that fails defers the host, unusable records demand TLS, and none
/// is opportunistic.
int exposure_by_dane(HostState state) {
  switch (state) {
    case HostState::dane:
    case HostState::err:
    case HostState::dead:
      return 0;
    case HostState::enc:
      return 1;
    case HostState::none:
      return 2;
  }
  return 2;
}

}  // namespace

Result<Answered> ask(const DecisionInput& input) {
  Answered answered;
  answered.decision = decide(input);
  answered.reply = postfix_reply(answered.decision, input.dialect, "ex.test");
  const bool is_current = input.dialect == Dialect::postfix_tlsrpt;
  auto read = read_postfix_reply(answered.reply,
                                 is_current ? PostfixVersion::current : PostfixVersion::old);
  if (!read) return failure("{}: {}", shown(input, answered.reply), read.error());
  answered.read = std::move(*read);
  answered.in_force = in_force(answered.read, input.settings.default_level);
  return answered;
}

int exposure(InForce level, HostState state, bool validates) {
  switch (level) {
    case InForce::none:
    case InForce::may:
      return 2;
    case InForce::encrypt:
      return 1;
    case InForce::dane:
      return validates ? exposure_by_dane(state) : 2;
    case InForce::dane_only:
    case InForce::fingerprint:
    case InForce::verify:
    case InForce::secure:
    case InForce::deferred:
      return 0;
  }
  return 2;
}

bool covers(const std::string& match_item, const std::string& host) {
  if (!match_item.starts_with('.')) return match_item == host;
  return host.size() > match_item.size() && host.ends_with(match_item);
}

std::string violates_enforce(const DecisionInput& input, const Answered& answered) {
  if (input.sts.value != StsClass::enforce) return {};
  const InForce level = answered.in_force;
  const bool is_said = answered.read.kind != PostfixAnswer::Kind::not_found;
  const bool is_authenticated = level == InForce::dane_only || level == InForce::fingerprint ||
                                level == InForce::secure || level == InForce::deferred;
  return is_said && is_authenticated ? std::string() : shown(input, answered.reply);
}

std::string violates_dane_first(const DecisionInput& input, const Answered& answered) {
  if (!input.dane.mx_secure || answered.in_force == InForce::fingerprint) return {};
  for (const HostFinding& host : input.dane.hosts) {
    if (host.state != HostState::dane && host.state != HostState::err) continue;
    for (const std::string& item : answered.read.match) {
      if (covers(item, host.name)) return shown(input, answered.reply);
    }
  }
  return {};
}

std::string violates_promise(const DecisionInput& input, const Answered& answered) {
  if (!input.dane.mx_secure) return {};
  for (const HostFinding& host : input.dane.hosts) {
    const bool is_out_of_reach = host.address_failed && host.address_bound_reached;
    if (host.state == HostState::dead || is_out_of_reach) continue;
    const int most = host.state == HostState::none ? 2 : host.state == HostState::enc ? 1 : 0;
    const int seen = exposure(answered.in_force, host.state, validates(input.dialect));
    if (seen > most) return shown(input, answered.reply);
  }
  return {};
}

std::string shown(const DecisionInput& input, const std::string& reply) {
  std::string text = fmt::format("MX {} {}:", name_of(input.dane.mx),
                                 input.dane.mx_secure ? "secure" : "insecure");
  for (const HostFinding& host : input.dane.hosts) {
    text += fmt::format(" {} {} {};", host.preference, host.name, name_of(host.state));
  }
  text += fmt::format(" {}", name_of(input.sts.value));
  if (input.sts.policy) {
    for (const MxPattern& pattern : input.sts.policy->mx) text += " " + pattern.text();
  }
  return text + fmt::format("; {} default-level {} -> {}", name_of(input.dialect),
                            static_cast<int>(input.settings.default_level), reply);
}

void set_state(HostFinding& host, HostState state) {
  host.state = state;
  host.records.clear();
  host.reason.clear();
  host.address_failed = false;
  host.address_bound_reached = false;
  if (state == HostState::err) host.reason = "TLSA lookup failed (SERVFAIL)";
  if (state != HostState::dane) return;
  TlsaRecord record{3, 1, 1, std::vector<std::uint8_t>(32, 0)};
  std::copy_n(host.name.begin(), std::min<std::size_t>(host.name.size(), 32), record.data.begin());
  host.records.push_back({std::move(record), true, ""});
}

void Counterexamples::add(std::string text) {
  if (text.empty()) return;
  ++count_;
  if (kept_.size() < kKept) kept_.push_back(std::move(text));
}

std::string Counterexamples::text() const {
  std::string joined = fmt::format("{} counterexamples", count_);
  for (const std::string& one : kept_) joined += "\n  " + one;
  return joined;
}

}  // namespace sealane

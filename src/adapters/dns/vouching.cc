// SPDX-License-Identifier: Apache-2.0
#include "adapters/dns/vouching.h"

namespace sealane {
namespace {

constexpr auto kServFail = static_cast<std::uint16_t>(Rcode::serv_fail);
constexpr auto kRefused = static_cast<std::uint16_t>(Rcode::refused);
constexpr auto kNxDomain = static_cast<std::uint16_t>(Rcode::nx_domain);

Probe passed() { return {ProbeResult::passed, {}}; }
Probe contradicted(std::string cause) { return {ProbeResult::contradicted, std::move(cause)}; }
Probe unanswered(std::string cause) { return {ProbeResult::unanswered, std::move(cause)}; }

}  // namespace

Probe judge_root(const std::optional<DnsMessage>& message, bool needs_ad) {
  if (!message) return unanswered("it does not answer");
  if (message->rcode == kRefused) {
    return contradicted("it answers REFUSED: its access control does not let this host in");
  }
  if (message->rcode != 0) {
    return contradicted("it answers " + rcode_text(message->rcode) +
                        " for the root (trust anchor, clock, or no network?)");
  }
  const bool root = !message->malformed && message->question_name == std::string(1, '\0') &&
                    message->question_type == kTypeSoa && !message->answer.empty() &&
                    message->answer.front().type == kTypeSoa;
  if (!root) return contradicted("it does not know the SOA record of the root");
  if (needs_ad && !message->authentic) {
    return contradicted("it answers for the root without AD: it does not validate DNSSEC");
  }
  return passed();
}

Probe judge_denial(const std::optional<DnsMessage>& message) {
  if (!message) return unanswered("it does not answer for a random top-level name");
  if (message->malformed) return contradicted("it answers a random top-level name with garbage");
  if (message->rcode == kNxDomain && message->authentic) return passed();
  if (message->rcode == kNxDomain) {
    return contradicted("it denies a random top-level name without AD");
  }
  if (message->rcode == 0) return contradicted("it does not deny a random top-level name");
  return unanswered("it answers " + rcode_text(message->rcode) + " for a random top-level name");
}

Probe judge_canary(const std::optional<DnsMessage>& message) {
  if (!message) return unanswered("it does not answer for the bogus canary");
  if (message->rcode == kServFail) return passed();
  return contradicted("it answers " + rcode_text(message->rcode) +
                      " for the bogus canary, which must be SERVFAIL");
}

void Vouching::root(const Probe& probe, SteadyTime when) {
  root_cause_ = probe.cause;
  root_passed_.reset();
  if (probe.result == ProbeResult::passed) root_passed_ = when;
}

void Vouching::denial(const Probe& probe, SteadyTime when) {
  denial_settled_ = probe.result == ProbeResult::passed;
  denial_cause_ = probe.cause;
  if (denial_settled_) denial_passed_ = when;
  if (probe.result == ProbeResult::contradicted) denial_passed_.reset();
}

bool Vouching::denial_due(SteadyTime now) const {
  if (!needs_denial_) return false;
  return !denial_settled_ || !denial_passed_ || now - *denial_passed_ >= kDenialPeriod;
}

bool Vouching::holds(SteadyTime now) const {
  if (!root_passed_ || now - *root_passed_ > kVouchLife) return false;
  return !needs_denial_ || (denial_passed_ && now - *denial_passed_ <= kDenialLife);
}

}  // namespace sealane

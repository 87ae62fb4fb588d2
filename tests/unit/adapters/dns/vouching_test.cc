// SPDX-License-Identifier: Apache-2.0
#include "adapters/dns/vouching.h"

#include <doctest/doctest.h>

using namespace sealane;
using namespace std::chrono_literals;

namespace {

const SteadyTime kStart{1000h};
const Probe kPassed{ProbeResult::passed, ""};
const Probe kUnanswered{ProbeResult::unanswered, "silence"};
const Probe kContradicted{ProbeResult::contradicted, "no AD"};

DnsMessage root_soa() {
  DnsMessage message;
  message.authentic = true;
  message.question_name = std::string(1, '\0');
  message.question_type = kTypeSoa;
  message.question_class = kClassInternet;
  message.answer.resize(1);
  message.answer[0].type = kTypeSoa;
  return message;
}

DnsMessage with_rcode(std::uint16_t rcode, bool authentic) {
  DnsMessage message;
  message.rcode = rcode;
  message.authentic = authentic;
  return message;
}

}  // namespace

TEST_CASE("the root's SOA vouches only with AD, unless nobody's AD counts") {
  DnsMessage message = root_soa();
  CHECK(judge_root(message, true).result == ProbeResult::passed);
  message.authentic = false;
  CHECK(judge_root(message, true).result == ProbeResult::contradicted);
  CHECK(judge_root(message, false).result == ProbeResult::passed);
  message.answer.clear();
  CHECK(judge_root(message, false).result == ProbeResult::contradicted);
  CHECK(judge_root(with_rcode(2, true), false).result == ProbeResult::contradicted);
  CHECK(judge_root(std::nullopt, false).result == ProbeResult::unanswered);
}

TEST_CASE("a denial vouches only with AD") {
  CHECK(judge_denial(with_rcode(3, true)).result == ProbeResult::passed);
  CHECK(judge_denial(with_rcode(3, false)).result == ProbeResult::contradicted);
  CHECK(judge_denial(with_rcode(0, true)).result == ProbeResult::contradicted);
  CHECK(judge_denial(with_rcode(2, false)).result == ProbeResult::unanswered);
  CHECK(judge_denial(std::nullopt).result == ProbeResult::unanswered);
}

TEST_CASE("a canary with wrong signatures must be SERVFAIL") {
  CHECK(judge_canary(with_rcode(2, false)).result == ProbeResult::passed);
  CHECK(judge_canary(with_rcode(0, false)).result == ProbeResult::contradicted);
  CHECK(judge_canary(with_rcode(0, true)).result == ProbeResult::contradicted);
  CHECK(judge_canary(std::nullopt).result == ProbeResult::unanswered);
}

TEST_CASE("nobody vouches before both tests passed") {
  Vouching vouching(true);
  CHECK_FALSE(vouching.holds(kStart));
  CHECK_FALSE(vouching.cause().empty());
  vouching.root(kPassed, kStart);
  CHECK_FALSE(vouching.holds(kStart));
  vouching.denial(kUnanswered, kStart);
  CHECK_FALSE(vouching.holds(kStart));
  vouching.denial(kPassed, kStart);
  CHECK(vouching.holds(kStart));
  CHECK(vouching.cause().empty());
}

TEST_CASE("a passed test vouches for a minute, a failed one ends that at once") {
  Vouching vouching(true);
  vouching.denial(kPassed, kStart);
  vouching.root(kPassed, kStart);
  CHECK(vouching.holds(kStart + 60s));
  CHECK_FALSE(vouching.holds(kStart + 61s));
  vouching.root(kContradicted, kStart + 30s);
  CHECK_FALSE(vouching.holds(kStart + 30s));
  CHECK(vouching.cause() == "no AD");
}

TEST_CASE("denials are tested each ten minutes, and again soon after a failure") {
  Vouching vouching(true);
  CHECK(vouching.denial_due(kStart));
  vouching.denial(kPassed, kStart);
  CHECK_FALSE(vouching.denial_due(kStart + 599s));
  CHECK(vouching.denial_due(kStart + 600s));
  vouching.denial(kUnanswered, kStart + 600s);
  CHECK(vouching.denial_due(kStart + 601s));
}

TEST_CASE("an unanswered denial test lets an earlier pass stand for a while, a wrong answer not") {
  Vouching vouching(true);
  vouching.denial(kPassed, kStart);
  vouching.denial(kUnanswered, kStart + 600s);
  vouching.root(kPassed, kStart + 1800s);
  CHECK(vouching.holds(kStart + 1800s));
  vouching.root(kPassed, kStart + 1801s);
  CHECK_FALSE(vouching.holds(kStart + 1801s));
  vouching.denial(kPassed, kStart + 1801s);
  CHECK(vouching.holds(kStart + 1801s));
  vouching.denial(kContradicted, kStart + 1801s);
  CHECK_FALSE(vouching.holds(kStart + 1801s));
}

TEST_CASE("where nobody's AD counts no denial is tested") {
  Vouching vouching(false);
  vouching.root(kPassed, kStart);
  CHECK_FALSE(vouching.denial_due(kStart));
  CHECK(vouching.holds(kStart));
}

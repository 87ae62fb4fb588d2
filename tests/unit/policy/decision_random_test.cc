// SPDX-License-Identifier: Apache-2.0
// Random destinations beyond what the enumeration reaches: up to 50 hosts, all policies, address
// failures, literals, every dialect, overrides.  The seed is fixed; a failure prints its case.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "policy/decision_case.h"
#include "policy/exposure.h"
#include "server/postfix_reply.h"

using namespace sealane;

namespace {

constexpr int kRounds = 30'000;

class Dice {
 public:
  explicit Dice(unsigned seed) : engine_(seed) {}
  int below(int n) { return std::uniform_int_distribution<int>(0, n - 1)(engine_); }
  bool one_in(int n) { return below(n) == 0; }
  template <class T, std::size_t N>
  T of(const std::array<T, N>& values) {
    return values[static_cast<std::size_t>(below(static_cast<int>(N)))];
  }

 private:
  std::mt19937 engine_;
};

constexpr std::array kPostfixDialects{Dialect::postfix, Dialect::postfix_tlsrpt,
                                      Dialect::postfix_pins};
constexpr std::array kSocketmapDialects{Dialect::postfix, Dialect::postfix_tlsrpt,
                                        Dialect::postfix_pins, Dialect::requiretls,
                                        Dialect::sendmail_sts};
constexpr std::array kStates{HostState::none, HostState::enc, HostState::dane, HostState::err,
                             HostState::dead};
constexpr std::array kStsClasses{StsClass::none,      StsClass::enforce,      StsClass::testing,
                                 StsClass::mode_none, StsClass::fetch_failed, StsClass::txt_error,
                                 StsClass::pending,   StsClass::own_fault};

HostFinding random_host(Dice& dice, int number) {
  HostFinding host;
  host.name = fmt::format("h{}.{}.ex.test", number, dice.one_in(2) ? "in" : "out");
  host.domain = domain_of(host.name);
  host.preference = static_cast<std::uint16_t>(dice.below(4));
  set_state(host, dice.of(kStates));
  if (host.state == HostState::err) {
    host.address_failed = dice.one_in(2);
    host.address_bound_reached = host.address_failed && dice.one_in(2);
  }
  if (host.state == HostState::dane && dice.one_in(3)) host.records[0].record.usage = 2;
  if (host.state == HostState::none && dice.one_in(10)) {
    host.name = "192.0.2.1";
    host.domain.reset();
  }
  return host;
}

DaneFinding random_dane(Dice& dice, bool is_secure) {
  DaneFinding finding;
  finding.mx = MxStatus::ok;
  finding.mx_secure = is_secure;
  const int hosts = dice.one_in(50) ? 50 : 1 + dice.below(8);
  for (int i = 0; i < hosts; ++i) finding.hosts.push_back(random_host(dice, i));
  std::stable_sort(
      finding.hosts.begin(), finding.hosts.end(),
      [](const HostFinding& a, const HostFinding& b) { return a.preference < b.preference; });
  return finding;
}

StsFinding random_sts(Dice& dice, StsClass value) {
  StsFinding finding;
  finding.value = value;
  std::vector<std::string> owned{"nobody"};
  if (dice.one_in(3)) owned.push_back("*.in");
  if (dice.one_in(6)) owned.push_back("*.out");
  for (int i = dice.below(6); i > 0; --i) {
    owned.push_back(fmt::format("h{}.{}", dice.below(8), dice.one_in(2) ? "in" : "out"));
  }
  const std::vector<std::string_view> names(owned.begin(), owned.end());
  if (value == StsClass::enforce) finding.policy = policy_of(StsMode::enforce, names);
  if (value == StsClass::testing) finding.policy = policy_of(StsMode::testing, names);
  return finding;
}

DecisionInput random_input(Dice& dice, Dialect dialect, bool is_secure) {
  DecisionInput input{NextHop{.domain = domain_of("ex.test")},
                      random_dane(dice, is_secure),
                      random_sts(dice, dice.of(kStsClasses)),
                      {},
                      dialect,
                      {},
                      {}};
  input.settings.default_level = static_cast<DefaultLevel>(dice.below(8));
  return input;
}

/// Raises one host of lower rank than `state`; false when the chosen one is none.
bool raise_one(Dice& dice, DaneFinding& finding) {
  HostFinding& host =
      finding.hosts[static_cast<std::size_t>(dice.below(static_cast<int>(finding.hosts.size())))];
  if (!host.domain) return false;
  const HostState state = dice.of(kStates);
  const bool is_up =
      (host.state == HostState::none &&
       (state == HostState::enc || state == HostState::dane || state == HostState::err)) ||
      (host.state == HostState::enc && (state == HostState::dane || state == HostState::err));
  if (!is_up) return false;
  set_state(host, state);
  if (state == HostState::err) {
    host.address_failed = dice.one_in(2);
    host.address_bound_reached = host.address_failed && dice.one_in(2);
  }
  return true;
}

std::string exceeds(const DecisionInput& a, const DecisionInput& b) {
  const auto first = ask(a);
  const auto second = ask(b);
  if (!first || !second) return first ? second.error() : first.error();
  for (std::size_t i = 0; i < a.dane.hosts.size(); ++i) {
    const bool works = validates(a.dialect);
    if (exposure(second->in_force, b.dane.hosts[i].state, works) >
        exposure(first->in_force, a.dane.hosts[i].state, works)) {
      return shown(a, first->reply) + "\n    more exposed: " + shown(b, second->reply);
    }
  }
  return {};
}

void check_none(const Counterexamples& found) { CHECK_MESSAGE(found.count() == 0, found.text()); }

/// What Exim makes of the decision: its own DANE host by host, under the level as a floor.
int exim_exposure(const Decision& decision, const HostFinding& host) {
  const bool is_tried = decision.dane_possible && decision.action != Action::temporary;
  if (is_tried && host.state != HostState::none) return 0;  // DANE, deferred, or refused (ENC)
  switch (decision.action) {
    case Action::temporary:
    case Action::sts:
      return 0;
    case Action::dane_only:
    case Action::encrypt:
      return 1;
    default:
      return 2;
  }
}

}  // namespace

TEST_CASE("(1) with many hosts, raising one under a secure MX exposes none more") {
  Dice dice(1);
  Counterexamples found;
  int raised = 0;
  for (int i = 0; i < kRounds; ++i) {
    const DecisionInput input = random_input(dice, dice.of(kPostfixDialects), true);
    DecisionInput higher = input;
    if (!raise_one(dice, higher.dane)) continue;
    ++raised;
    found.add(exceeds(input, higher));
  }
  CHECK(raised > kRounds / 10);
  check_none(found);
}

TEST_CASE("(1) with many hosts, enforce and open are never weaker than none and enforce") {
  Dice dice(2);
  Counterexamples found;
  for (int i = 0; i < kRounds; ++i) {
    DecisionInput none = random_input(dice, dice.of(kPostfixDialects), dice.one_in(2));
    none.sts = random_sts(dice, StsClass::none);
    DecisionInput enforced = none;
    enforced.sts = random_sts(dice, StsClass::enforce);
    DecisionInput open = none;
    open.sts.value = dice.of(std::array{StsClass::txt_error, StsClass::pending});
    found.add(exceeds(none, enforced));
    found.add(exceeds(enforced, open));
  }
  check_none(found);
}

TEST_CASE(
    "(2, 3) with many hosts, enforce authenticates all, and DANE is kept and not overridden") {
  Dice dice(3);
  Counterexamples promise;
  Counterexamples enforce;
  Counterexamples dane_first;
  for (int i = 0; i < kRounds; ++i) {
    DecisionInput input = random_input(dice, dice.of(kPostfixDialects), dice.one_in(2));
    if (dice.one_in(2)) input.sts = random_sts(dice, StsClass::enforce);
    const auto answered = ask(input);
    REQUIRE_MESSAGE(answered.has_value(), answered.error());
    promise.add(violates_promise(input, *answered));
    enforce.add(violates_enforce(input, *answered));
    dane_first.add(violates_dane_first(input, *answered));
  }
  check_none(promise);
  check_none(enforce);
  check_none(dane_first);
}

TEST_CASE("(4) whatever the operator and the message say, every reply is well-formed") {
  Dice dice(4);
  for (int i = 0; i < kRounds; ++i) {
    DecisionInput input = random_input(dice, dice.of(kSocketmapDialects), dice.one_in(2));
    input.override_.dane = static_cast<DaneOverride>(dice.below(3));
    input.override_.sts_off = dice.one_in(4);
    input.override_.observe = dice.one_in(8);
    input.flags.requiretls = dice.one_in(4);
    input.flags.tls_required_no = dice.one_in(8);
    input.settings.insecure_mx_may = dice.one_in(4);
    input.dane.own_fault = dice.one_in(20);
    const std::string reply = postfix_reply(decide(input), input.dialect, "ex.test");
    if (input.dialect == Dialect::requiretls) {
      const bool is_known =
          reply == "OK enforce" || reply == "NOTFOUND " || reply.starts_with("TEMP ex.test: ");
      CHECK_MESSAGE(is_known, reply);
      continue;
    }
    const auto version =
        input.dialect == Dialect::postfix_tlsrpt ? PostfixVersion::current : PostfixVersion::old;
    const auto read = read_postfix_reply(reply, version);
    CHECK_MESSAGE(read.has_value(), shown(input, reply));
  }
}

TEST_CASE("the requiretls map never lets a message pass by under enforce") {
  Dice dice(5);
  for (int i = 0; i < kRounds / 4; ++i) {
    DecisionInput input = random_input(dice, Dialect::requiretls, dice.one_in(2));
    input.sts = random_sts(dice, StsClass::enforce);
    const std::string reply = postfix_reply(decide(input), input.dialect, "ex.test");
    CHECK_MESSAGE(reply != "NOTFOUND ", shown(input, reply));
  }
}

TEST_CASE("Sendmail gets all names of an enforce policy, whatever DANE says") {
  Dice dice(6);
  for (int i = 0; i < kRounds / 4; ++i) {
    DecisionInput input = random_input(dice, Dialect::sendmail_sts, dice.one_in(2));
    input.sts = random_sts(dice, StsClass::enforce);
    std::string expected = "OK secure match=";
    const char* separator = "";
    for (const MxPattern& pattern : input.sts.policy->mx) {
      expected += separator + std::string(pattern.is_wildcard() ? "." : "");
      expected += pattern.domain().text();
      separator = ":";
    }
    CHECK(postfix_reply(decide(input), input.dialect, "ex.test") ==
          expected + " servername=hostname");
  }
}

TEST_CASE("Exim keeps what each host was promised") {
  Dice dice(7);
  Counterexamples found;
  for (int i = 0; i < kRounds; ++i) {
    DecisionInput input = random_input(dice, Dialect::exim, true);
    if (dice.one_in(2)) input.sts = random_sts(dice, StsClass::enforce);
    const Decision decision = decide(input);
    for (const HostFinding& host : input.dane.hosts) {
      const int seen = exim_exposure(decision, host);
      const bool is_proven = host.state == HostState::dane || host.state == HostState::err;
      const bool is_enforced = input.sts.value == StsClass::enforce;
      const int most = is_proven || is_enforced ? 0 : host.state == HostState::enc ? 1 : 2;
      if (seen > most) found.add(shown(input, std::string(name_of(decision.action))));
    }
  }
  check_none(found);
}

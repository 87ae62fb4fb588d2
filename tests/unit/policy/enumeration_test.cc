// SPDX-License-Identifier: Apache-2.0
// Every destination with up to three hosts, under every MTA-STS class, dialect and default level,
// against the five properties of docs/decision.md.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "policy/decision_case.h"
#include "policy/exposure.h"

using namespace sealane;

namespace {

constexpr std::array kStates{HostState::none, HostState::enc, HostState::dane, HostState::err,
                             HostState::dead};
constexpr std::array kStsClasses{StsClass::none,      StsClass::enforce,      StsClass::testing,
                                 StsClass::mode_none, StsClass::fetch_failed, StsClass::txt_error,
                                 StsClass::pending,   StsClass::own_fault};
constexpr std::array kSettled{StsClass::none, StsClass::testing, StsClass::mode_none,
                              StsClass::fetch_failed};
constexpr std::array kOpen{StsClass::txt_error, StsClass::pending, StsClass::own_fault};
constexpr std::array kLevels{DefaultLevel::none,      DefaultLevel::may,
                             DefaultLevel::encrypt,   DefaultLevel::dane,
                             DefaultLevel::dane_only, DefaultLevel::fingerprint,
                             DefaultLevel::verify,    DefaultLevel::secure};
/// Without and with filter, and the one that speaks in keys.
constexpr std::array kDialects{Dialect::postfix, Dialect::postfix_tlsrpt, Dialect::postfix_pins};

/// A host as a number: state, whether the policy allows it, one of two preferences.
using HostCode = int;
constexpr int kHostCodes = static_cast<int>(kStates.size()) * 2 * 2;
HostState state_of(HostCode code) { return kStates[static_cast<std::size_t>(code / 4)]; }
HostCode with_state(HostCode code, std::size_t state) {
  return static_cast<int>(state) * 4 + code % 4;
}
/// NONE < ENC < {DANE, ERR}; DEAD is outside.
int rank(HostState state) {
  if (state == HostState::none) return 0;
  return state == HostState::enc ? 1 : 2;
}

/// Hosts in ascending order of their codes: the order of equal preferences means nothing.
using HostSet = std::vector<HostCode>;

std::vector<HostSet> all_host_sets() {
  std::vector<HostSet> sets;
  for (HostCode a = 0; a < kHostCodes; ++a) {
    sets.push_back({a});
    for (HostCode b = a; b < kHostCodes; ++b) {
      sets.push_back({a, b});
      for (HostCode c = b; c < kHostCodes; ++c) sets.push_back({a, b, c});
    }
  }
  return sets;
}

HostFinding host_from(HostCode code, std::size_t position) {
  const bool is_allowed = (code / 2) % 2 == 1;
  HostFinding host;
  host.name =
      fmt::format("{}.{}.ex.test", static_cast<char>('a' + position), is_allowed ? "in" : "out");
  host.domain = domain_of(host.name);
  host.preference = static_cast<std::uint16_t>(code % 2 == 0 ? 10 : 20);
  set_state(host, state_of(code));
  return host;
}

DaneFinding dane_from(const HostSet& hosts, MxStatus mx, bool is_secure) {
  DaneFinding finding;
  finding.mx = mx;
  finding.mx_secure = is_secure;
  for (std::size_t i = 0; i < hosts.size(); ++i) finding.hosts.push_back(host_from(hosts[i], i));
  std::stable_sort(
      finding.hosts.begin(), finding.hosts.end(),
      [](const HostFinding& a, const HostFinding& b) { return a.preference < b.preference; });
  return finding;
}

StsFinding sts_from(StsClass value) {
  StsFinding finding;
  finding.value = value;
  // A wildcard that covers the allowed hosts whatever their DANE state, and nobody's name.
  const std::vector<std::string_view> names{"*.in", "nobody"};
  if (value == StsClass::enforce) finding.policy = policy_of(StsMode::enforce, names);
  if (value == StsClass::testing) finding.policy = policy_of(StsMode::testing, names);
  if (value == StsClass::mode_none) finding.policy = policy_of(StsMode::none, {});
  return finding;
}

/// What a host set exposes at hosts in each state under one answer.
using Exposures = std::array<int, kStates.size()>;

class Enumeration {
 public:
  Counterexamples grammar;      ///< a reply that Postfix would not take (and PERM)
  Counterexamples raised_host;  ///< property 1, hosts
  Counterexamples raised_sts;   ///< property 1, none < enforce
  Counterexamples weak_open;    ///< property 1, open
  Counterexamples promise;      ///< what each host was promised
  Counterexamples enforce;      ///< property 2
  Counterexamples dane_first;   ///< property 3
  Counterexamples changing;     ///< property 5
  Counterexamples waiting;      ///< waits_for_sts is exact
  std::size_t cases = 0;

  Enumeration() : sets_(all_host_sets()) {
    for (std::size_t i = 0; i < sets_.size(); ++i) index_[sets_[i]] = i;
    for (StsClass value : kStsClasses) sts_[value] = sts_from(value);
    for (bool is_secure : {true, false}) run(is_secure);
    run_single_hosts();
    run_without_hosts();
  }

 private:
  DecisionInput input_for(DaneFinding dane) const {
    return {
        NextHop{.domain = domain_of("ex.test")}, std::move(dane), {}, {}, Dialect::postfix, {}, {}};
  }

  void run(bool is_secure) {
    std::vector<DecisionInput> inputs;
    for (const HostSet& set : sets_) {
      inputs.push_back(input_for(dane_from(set, MxStatus::ok, is_secure)));
    }
    for (Dialect dialect : kDialects) {
      for (DefaultLevel level : kLevels) run_setting(inputs, dialect, level, is_secure);
    }
  }

  void run_setting(std::vector<DecisionInput>& inputs, Dialect dialect, DefaultLevel level,
                   bool is_secure) {
    std::map<StsClass, std::vector<Exposures>> exposures;
    for (StsClass value : kStsClasses) {
      std::vector<Exposures>& column = exposures[value];
      for (DecisionInput& input : inputs) {
        input.dialect = dialect;
        input.settings.default_level = level;
        input.sts = sts_.at(value);
        column.push_back(one(input));
      }
      if (is_secure) compare_raised_hosts(inputs, column, value);
    }
    compare_sts(inputs, exposures);
  }

  Exposures one(const DecisionInput& input) {
    ++cases;
    Exposures found{};
    const auto answered = ask(input);
    if (!answered) {
      grammar.add(answered.error());
      return found;
    }
    promise.add(violates_promise(input, *answered));
    enforce.add(violates_enforce(input, *answered));
    dane_first.add(violates_dane_first(input, *answered));
    if (cases % 8 == 0) ask_again(input, *answered);
    check_waiting(input, *answered);
    for (std::size_t i = 0; i < kStates.size(); ++i) {
      found[i] = exposure(answered->in_force, kStates[i], validates(input.dialect));
    }
    return found;
  }

  void ask_again(const DecisionInput& input, const Answered& first) {
    const auto second = ask(input);
    if (!second || second->reply != first.reply) changing.add(shown(input, first.reply));
  }

  /// A temporary answer by rows 7, 8, 13, 25 and 27 waits; one that no MTA-STS finding could change
  /// does not, nor does any answer once MTA-STS is settled.
  void check_waiting(const DecisionInput& input, const Answered& answered) {
    const bool waits = answered.decision.waits_for_sts;
    if (waits && !input.sts.open()) waiting.add(shown(input, answered.reply));
    const std::string& row = answered.decision.row;
    const bool is_deferred = answered.in_force == InForce::deferred;
    const bool is_unread = is_deferred && (row == "25" || row == "27");
    const bool is_by_sts = row == "7" || row == "8" || row == "13" || is_unread;
    if (is_by_sts != (waits && is_deferred)) {
      waiting.add(shown(input, answered.reply));
    }
  }

  void compare_raised_hosts(std::vector<DecisionInput>& inputs,
                            const std::vector<Exposures>& exposures, StsClass value) {
    for (std::size_t set = 0; set < sets_.size(); ++set) {
      for (std::size_t host = 0; host < sets_[set].size(); ++host) {
        compare_raised_host(inputs, exposures, value, set, host);
      }
    }
  }

  void compare_raised_host(std::vector<DecisionInput>& inputs,
                           const std::vector<Exposures>& exposures, StsClass value, std::size_t set,
                           std::size_t host) {
    const HostCode code = sets_[set][host];
    if (state_of(code) == HostState::dead) return;
    for (std::size_t state = 0; state < kStates.size(); ++state) {
      if (kStates[state] == HostState::dead || rank(kStates[state]) <= rank(state_of(code)))
        continue;
      HostSet raised = sets_[set];
      raised[host] = with_state(code, state);
      std::sort(raised.begin(), raised.end());
      const std::size_t other = index_.at(raised);
      if (is_higher(set, host, state, exposures[set], exposures[other])) {
        inputs[set].sts = inputs[other].sts = sts_.at(value);
        raised_host.add(shown(inputs[set], ask(inputs[set])->reply) +
                        "\n    raised: " + shown(inputs[other], ask(inputs[other])->reply));
      }
    }
  }

  /// Whether any host of the set is exposed more after `host` was raised to `state`.
  bool is_higher(std::size_t set, std::size_t host, std::size_t state, const Exposures& before,
                 const Exposures& after) const {
    for (std::size_t i = 0; i < sets_[set].size(); ++i) {
      const auto own = static_cast<std::size_t>(sets_[set][i] / 4);
      if (after[i == host ? state : own] > before[own]) return true;
    }
    return false;
  }

  void compare_sts(std::vector<DecisionInput>& inputs,
                   std::map<StsClass, std::vector<Exposures>>& exposures) {
    for (std::size_t set = 0; set < sets_.size(); ++set) {
      for (StsClass value : kSettled) {
        if (exceeds(set, exposures[StsClass::enforce][set], exposures[value][set])) {
          raised_sts.add(shown_with(inputs[set], StsClass::enforce));
        }
      }
      for (StsClass value : kOpen) {
        if (exceeds(set, exposures[value][set], exposures[StsClass::enforce][set])) {
          weak_open.add(shown_with(inputs[set], value));
        }
      }
    }
  }

  bool exceeds(std::size_t set, const Exposures& a, const Exposures& b) const {
    return std::any_of(sets_[set].begin(), sets_[set].end(), [&](HostCode code) {
      const auto state = static_cast<std::size_t>(code / 4);
      return a[state] > b[state];
    });
  }

  std::string shown_with(DecisionInput& input, StsClass value) {
    input.sts = sts_.at(value);
    return shown(input, ask(input)->reply);
  }

  void run_all_settings(DecisionInput input) {
    for (Dialect dialect : kDialects) {
      for (DefaultLevel level : kLevels) {
        for (StsClass value : kStsClasses) {
          input.dialect = dialect;
          input.settings.default_level = level;
          input.sts = sts_.at(value);
          one(input);
        }
      }
    }
  }

  void run_single_hosts() {
    for (HostCode code = 0; code < kHostCodes; ++code) {
      run_all_settings(input_for(dane_from({code}, MxStatus::implicit, true)));
      run_all_settings(input_for(dane_from({code}, MxStatus::implicit, false)));
      run_all_settings(input_for(dane_from({code}, MxStatus::host, true)));
      DecisionInput unreachable = input_for(dane_from({code}, MxStatus::implicit, true));
      unreachable.dane.hosts[0].address_failed = true;
      run_all_settings(unreachable);
    }
  }

  void run_without_hosts() {
    for (MxStatus mx : {MxStatus::null, MxStatus::nxdomain, MxStatus::nodata_no_address}) {
      run_all_settings(input_for(dane_from({}, mx, true)));
      run_all_settings(input_for(dane_from({}, mx, false)));
    }
    run_all_settings(input_for(dane_from({}, MxStatus::error, false)));
  }

  std::vector<HostSet> sets_;
  std::map<HostSet, std::size_t> index_;
  std::map<StsClass, StsFinding> sts_;
};

const Enumeration& enumerated() {
  static const Enumeration enumeration;
  return enumeration;
}

void check_none(const Counterexamples& found) { CHECK_MESSAGE(found.count() == 0, found.text()); }

}  // namespace

TEST_CASE("the enumeration is complete and stays below a million cases") {
  MESSAGE(enumerated().cases, " cases");
  CHECK(enumerated().cases > 600'000);
  CHECK(enumerated().cases < 1'000'000);
}

TEST_CASE("(1) raising one host under a secure MX exposes no host more") {
  check_none(enumerated().raised_host);
}

TEST_CASE("(1) MTA-STS enforce instead of none exposes no host more") {
  check_none(enumerated().raised_sts);
}

TEST_CASE("(1) while MTA-STS is open every host is as protected as under enforce") {
  check_none(enumerated().weak_open);
}

TEST_CASE("under a secure MX no host gets less than its own TLSA promise") {
  check_none(enumerated().promise);
}

TEST_CASE("(2) neither not found nor dane is ever said under MTA-STS enforce") {
  check_none(enumerated().enforce);
}

TEST_CASE("(3) under a secure MX no name in match= covers a host with DANE or a failed lookup") {
  check_none(enumerated().dane_first);
}

TEST_CASE("(4) every reply is one that Postfix takes, and never PERM") {
  check_none(enumerated().grammar);
}

TEST_CASE("(5) the same inputs give the same bytes") { check_none(enumerated().changing); }

TEST_CASE("an answer waits for MTA-STS exactly when that can change it") {
  check_none(enumerated().waiting);
}

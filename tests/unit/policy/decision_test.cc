// SPDX-License-Identifier: Apache-2.0
#include "policy/decision.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <map>
#include <set>

#include "base/text.h"
#include "policy/decision_case.h"

using namespace sealane;
using namespace std::chrono_literals;

namespace {

Decision decided(std::string_view dane, std::string_view sts, std::string_view asker) {
  return decide(input_of(dane, sts, asker));
}

struct Case {
  int line = 0;
  std::string text;
  std::array<std::string, 6> columns;
};

/// The cases of decision_table.txt; '|' also separates fingerprints, hence the blanks around it.
std::vector<Case> table() {
  const char* root = std::getenv("SEALANE_SOURCE_ROOT");
  REQUIRE_MESSAGE(root != nullptr, "run by meson, which sets SEALANE_SOURCE_ROOT");
  std::ifstream file(std::string(root) + "/tests/unit/policy/decision_table.txt");
  REQUIRE(file.is_open());
  std::vector<Case> cases;
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    if (line.empty() || line.front() == '#') continue;
    Case one{number, line, {}};
    std::string rest = line + " ";
    std::size_t column = 0;
    for (std::size_t at = rest.find(" | "); at != std::string::npos; at = rest.find(" | ")) {
      REQUIRE_MESSAGE(column < 5, line);
      one.columns[column++] = trim(rest.substr(0, at));
      rest.erase(0, at + 2);
    }
    one.columns[column] = trim(rest);
    REQUIRE_MESSAGE(column == 5, line);
    cases.push_back(std::move(one));
  }
  return cases;
}

std::string sorted_words(const std::string& text) {
  auto found = words(text);
  std::sort(found.begin(), found.end());
  std::string joined;
  for (std::string_view word : found) joined += (joined.empty() ? "" : " ") + std::string(word);
  return joined;
}

/// Expected text that ends in '*' stands for its beginning.
bool is_like(const std::string& answer, const std::string& expected) {
  if (!expected.ends_with('*')) return answer == expected;
  return answer.starts_with(expected.substr(0, expected.size() - 1));
}

}  // namespace

TEST_CASE("every case of the decision table is answered as it says") {
  const auto cases = table();
  CHECK(cases.size() >= 300);
  for (const Case& one : cases) {
    CAPTURE(one.line);
    CAPTURE(one.text);
    const DecisionInput input = input_of(one.columns[1], one.columns[2], one.columns[3]);
    const Decision decision = decide(input);
    CHECK(decision.row == one.columns[0]);
    CHECK_MESSAGE(is_like(answer_text(decision, input), one.columns[4]),
                  answer_text(decision, input));
    CHECK(notes_text(decision, input) == sorted_words(one.columns[5]));
  }
}

TEST_CASE("the decision table has a case for every row that is decided here") {
  std::set<std::string> rows;
  for (const Case& one : table()) rows.insert(one.columns[0]);
  // 20 does not exist, 28 is judged as 1-8, 29 and 30 have no destination to decide about.
  for (int row = 1; row <= 35; ++row) {
    if (row == 20 || (row >= 28 && row <= 30)) continue;
    CHECK_MESSAGE(rows.count(std::to_string(row)) == 1, row);
  }
  CHECK(rows.count("16a") == 1);
}

TEST_CASE("the same inputs give the same decision") {
  for (const Case& one : table()) {
    const DecisionInput input = input_of(one.columns[1], one.columns[2], one.columns[3]);
    const Decision first = decide(input);
    const Decision second = decide(input);
    CHECK(answer_text(first, input) == answer_text(second, input));
    CHECK(first.ttl == second.ttl);
    CHECK(first.trail.size() == second.trail.size());
  }
}

TEST_CASE("every temporary answer has a reason and a short life") {
  for (const Case& one : table()) {
    const Decision decision = decided(one.columns[1], one.columns[2], one.columns[3]);
    CAPTURE(one.text);
    if (decision.action != Action::temporary) continue;
    CHECK_FALSE(decision.reason.empty());
    CHECK(decision.ttl <= kMaxTemporaryTtl);
  }
}

TEST_CASE("the trail ends in the row that decided, and says why") {
  for (const Case& one : table()) {
    const Decision decision = decided(one.columns[1], one.columns[2], one.columns[3]);
    CAPTURE(one.text);
    const auto& trail = decision.trail;
    CHECK(std::any_of(trail.begin(), trail.end(),
                      [&](const Reason& reason) { return reason.row == decision.row; }));
    CHECK(std::none_of(trail.begin(), trail.end(),
                       [](const Reason& reason) { return reason.text.empty(); }));
  }
}

TEST_CASE("the trail names the hosts with their states, and the way through MIXED") {
  const Decision decision =
      decided("secure 10 a NONE, 20 b DANE", "enforce a b", "postfix default-level=may");
  REQUIRE(decision.trail.size() == 4);
  CHECK(decision.trail[0].text == "D-MIX: MX ok, secure; 10 a.ex.test NONE, 20 b.ex.test DANE");
  CHECK(decision.trail[1].text == "S-ENF");
  CHECK(decision.trail[2].row == "12");
  CHECK(decision.trail[3].row == "MIXED");
}

TEST_CASE("the trail shows an override with the operator's words") {
  DecisionInput input = input_of("secure 10 a DANE", "none", "postfix dane=off");
  input.override_.reason = "ticket 7";
  const Decision decision = decide(input);
  CHECK(decision.trail.front().row == "32");
  CHECK(decision.trail.front().text == "override dane=off (ticket 7)");
}

TEST_CASE("what could not be found out is told beside an answer that does without it") {
  const auto doubt = [](std::string_view dane, std::string_view sts) {
    return decided(dane, sts, "postfix").doubt;
  };
  CHECK(doubt("secure 10 a DANE, 20 b ERR", "none") ==
        "TLSA lookup for _25._tcp.b.ex.test failed (SERVFAIL)");
  CHECK_FALSE(doubt("secure 10 a NONE", "fetch-failed").empty());
  CHECK_FALSE(doubt("secure 10 a NONE", "none-bound").empty());
  CHECK_FALSE(doubt("secure 10 a DANE, 20 b NONE", "fetch-failed").empty());
  CHECK(doubt("secure 10 a NONE", "none").empty());
  CHECK(doubt("secure 10 a NONE", "testing a").empty());
  CHECK(doubt("secure 10 a DANE, 20 b ERR, 30 c NONE", "none").empty());
  CHECK(decided("secure 10 a NONE", "fetch-failed", "postfix sts=off").doubt.empty());
}

TEST_CASE("an impossible MX name is escaped in the trail") {
  DecisionInput input = input_of("secure 10 a LITERAL", "none", "postfix");
  input.dane.hosts[0].name = "a\nb\x1b[31m";
  const Decision decision = decide(input);
  CHECK(decision.trail.front().text == "D0: MX ok, secure; 10 a\\x0ab\\x1b[31m NONE");
}

TEST_CASE("an answer lives as long as the shortest of what it rests on") {
  DecisionInput input = input_of("secure 10 a NONE", "none", "postfix");
  input.dane.ttl = 100s;
  input.sts.ttl = 50s;
  CHECK(decide(input).ttl == 50s);
  input.sts.ttl = 120s;
  CHECK(decide(input).ttl == 100s);
}

TEST_CASE("an answer lives at most 300 seconds, a temporary one 30") {
  DecisionInput input = input_of("secure 10 a NONE", "none", "postfix");
  input.dane.ttl = 3600s;
  input.sts.ttl = 3600s;
  CHECK(decide(input).ttl == 300s);
  input.sts.value = StsClass::txt_error;
  CHECK(decide(input).ttl == 30s);
  input.dane.ttl = 29s;
  CHECK(decide(input).ttl == 29s);
}

TEST_CASE("a TTL of 0 is an answer that is used once, and a negative one is the same") {
  DecisionInput input = input_of("secure 10 a NONE", "none", "postfix");
  input.dane.ttl = 0s;
  CHECK(decide(input).ttl == 0s);
  input.dane.ttl = -5s;
  CHECK(decide(input).ttl == 0s);
}

TEST_CASE("where DANE decides, the life of the MTA-STS finding does not count") {
  DecisionInput input = input_of("secure 10 a DANE", "pending", "postfix");
  input.sts.ttl = 0s;
  CHECK(decide(input).ttl == 200s);
  input.dialect = Dialect::sendmail_sts;
  CHECK(decide(input).ttl == 0s);
}

TEST_CASE("where DANE is not asked, the life of its finding does not count") {
  DecisionInput input = input_of("secure 10 a DANE", "none", "postfix dane=off");
  input.dane.ttl = 0s;
  CHECK(decide(input).ttl == 200s);
}

TEST_CASE("an answer that changes when MTA-STS settles is kept like a temporary one") {
  DecisionInput input = input_of("secure 10 a DANE, 20 b ERR", "pending", "postfix");
  const Decision decision = decide(input);
  CHECK(decision.action == Action::dane_only);
  CHECK(decision.waits_for_sts);
  CHECK(decision.ttl == 30s);
}

TEST_CASE("a temporary answer because of ourselves is kept for a second") {
  CHECK(decided("own-fault", "none", "postfix").ttl == kOwnFaultTtl);
  CHECK(decided("secure 10 a NONE", "own-fault", "postfix").ttl == kOwnFaultTtl);
  const Decision decision = temporary_failure("queue full");
  CHECK(decision.action == Action::temporary);
  CHECK(decision.row == "31");
  CHECK(decision.reason == "queue full");
  CHECK(decision.ttl == kOwnFaultTtl);
  CHECK(temporary_failure("").reason == "a fault on our side");
}

TEST_CASE("an enforce class without a policy is our fault, never none") {
  DecisionInput input = input_of("secure 10 a NONE", "enforce a", "postfix");
  input.sts.policy.reset();
  CHECK(decide(input).action == Action::temporary);
  CHECK(decide(input).row == "31");
  input.sts.policy = StsPolicy{};
  CHECK(decide(input).action == Action::temporary);
}

TEST_CASE("observing keeps what would have been said") {
  const Decision decision = decided("secure 10 a NONE", "enforce a", "postfix observe");
  CHECK(decision.action == Action::not_found);
  CHECK(decision.would_be == Action::sts);
  CHECK(decision.patterns.size() == 1);
  CHECK_FALSE(decision.requiretls_ok);
  CHECK_FALSE(decided("secure 10 a NONE", "pending", "postfix observe").waits_for_sts);
}

TEST_CASE("while observing, a question is answered before anything is known") {
  const Decision decision = observed_at_once();
  CHECK(decision.action == Action::not_found);
  CHECK(decision.row == "33");
  CHECK(decision.ttl == kObservedTtl);
  CHECK_FALSE(decision.would_be.has_value());
}

TEST_CASE("a key of a parent domain, a literal or no name is not found at once") {
  using Why = NoNextHop::Why;
  const std::map<Why, std::string> rows{{Why::parent_domain, "29"},
                                        {Why::address_literal, "30"},
                                        {Why::empty, "30"},
                                        {Why::too_long, "30"},
                                        {Why::invalid, "30"}};
  for (const auto& [why, row] : rows) {
    const Decision decision = decide(NoNextHop{why, "why"});
    CHECK(decision.action == Action::not_found);
    CHECK(decision.row == row);
    CHECK(decision.ttl == kMaxAnswerTtl);
  }
}

TEST_CASE("a key that cannot be read is temporary, with its reason") {
  using Why = NoNextHop::Why;
  for (Why why : {Why::not_convertible, Why::unknown_port}) {
    const Decision decision = decide(NoNextHop{why, "port \"foo\" is unknown"});
    CHECK(decision.action == Action::temporary);
    CHECK(decision.row == "30");
    CHECK(decision.reason == "port \"foo\" is unknown");
    CHECK_FALSE(decide(NoNextHop{why, ""}).reason.empty());
  }
}

TEST_CASE("the policy goes with an answer that needs it, and with no other") {
  const Decision sts = decided("secure 10 a NONE", "enforce a", "postfix");
  REQUIRE(sts.policy.has_value());
  CHECK(sts.policy_domain == "ex.test");
  CHECK_FALSE(decided("secure 10 a DANE", "enforce a", "tlsrpt").policy.has_value());
}

TEST_CASE("a fixed reply at once is what deciding with all findings gives") {
  const DecisionInput input = input_of("secure 10 a DANE", "enforce a", "postfix fixed=encrypt");
  const Decision whole = decide(input);
  const auto at_once = fixed_at_once(input.override_, input.dialect);
  REQUIRE(at_once.has_value());
  CHECK(answer_text(*at_once, input) == answer_text(whole, input));
  CHECK(notes_text(*at_once, input) == notes_text(whole, input));
  CHECK(at_once->row == whole.row);
  CHECK(at_once->ttl == whole.ttl);
  CHECK_FALSE(fixed_at_once(input.override_, Dialect::exim));
  CHECK_FALSE(fixed_at_once(Override{}, Dialect::postfix));
}

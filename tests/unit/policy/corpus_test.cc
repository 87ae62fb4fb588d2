// SPDX-License-Identifier: Apache-2.0
// Reads policies as 228 domains publish them.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "policy/sts_policy.h"
#include "test_data.h"

using namespace sealane;

namespace {

/// The list of the table in the form that a policy has in memory.
std::vector<std::string> canonical(std::string_view list) {
  std::vector<std::string> names;
  if (list.empty()) return names;
  for (std::string_view name : split(list, ',')) {
    std::string text = lower_ascii(name);
    if (text.ends_with('.')) text.pop_back();
    if (std::find(names.begin(), names.end(), text) == names.end()) names.push_back(text);
  }
  return names;
}

std::vector<std::string> patterns(const StsPolicy& policy) {
  std::vector<std::string> texts;
  for (const MxPattern& pattern : policy.mx) texts.push_back(pattern.text());
  return texts;
}

}  // namespace

TEST_CASE("published policies: 200 are strictly valid, 12 are let pass, 16 are invalid") {
  const auto folder = test_data("SEALANE_CORPUS", "corpus/mta-sts");
  std::size_t strict = 0;
  std::size_t lenient = 0;
  std::size_t invalid = 0;
  for (const auto& row : read_table(folder / "expected.tsv")) {
    REQUIRE(row.size() >= 6);
    CAPTURE(row[0]);
    std::vector<LintFinding> findings;
    const auto policy = parse_sts_policy(read_whole(folder / (row[0] + ".txt")), &findings);
    const bool passed = std::any_of(findings.begin(), findings.end(), is_leniency);
    if (!policy) {
      ++invalid;
      CHECK(row[1] == "no");
      continue;
    }
    ++(passed ? lenient : strict);
    CHECK((passed ? "no" : "yes") == row[1]);
    CHECK(name_of(policy->mode) == row[3]);
    CHECK(std::to_string(policy->max_age.count()) == row[4]);
    CHECK(patterns(*policy) == canonical(row[5]));
  }
  MESSAGE(strict << " strictly valid, " << lenient << " with leniency, " << invalid << " invalid");
  CHECK(strict == 200);
  CHECK(lenient == 12);
  CHECK(invalid == 16);
}

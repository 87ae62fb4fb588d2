// SPDX-License-Identifier: Apache-2.0
#include "server/override_loader.h"

#include <utility>

#include "base/file.h"
#include "policy/override_file.h"

namespace sealane {

Result<Overrides, std::vector<std::string>> load_overrides(const std::string& path) {
  Result<std::string> text = read_file(path, kMaxOverridesFile);
  if (!text) return tl::unexpected(std::vector<std::string>{std::move(text.error())});
  Result<Overrides, OverrideProblems> read = parse_overrides(*text);
  if (read) return *std::move(read);
  std::vector<std::string> problems;
  for (const OverrideProblem& problem : read.error()) {
    const std::string line = problem.line > 0 ? fmt::format(":{}", problem.line) : "";
    problems.push_back(fmt::format("{}{}: {}", path, line, problem.text));
  }
  return tl::unexpected(std::move(problems));
}

}  // namespace sealane

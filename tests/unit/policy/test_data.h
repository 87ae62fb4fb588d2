// SPDX-License-Identifier: Apache-2.0
// Finds test data that is not part of the project: RFC vectors and published policies.
#pragma once

#include <doctest/doctest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "policy/finding.h"

namespace sealane {

/// What meson takes for "skipped".
inline constexpr int kSkipped = 77;

/// The path in the environment variable, which must then exist, or else `below` beside the source
/// tree.  Without either the program ends as skipped.
inline std::filesystem::path test_data(const char* variable, std::string_view below) {
  if (const char* path = std::getenv(variable)) {
    REQUIRE_MESSAGE(std::filesystem::exists(path), variable << " names no file: " << path);
    return path;
  }
  if (const char* root = std::getenv("SEALANE_SOURCE_ROOT")) {
    auto path = std::filesystem::path(root) / ".." / "shared" / below;
    if (std::filesystem::exists(path)) return path;
  }
  std::printf("SKIPPED: there is no such test data here; name it in %s\n", variable);
  std::exit(kSkipped);
}

inline std::string read_whole(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  REQUIRE_MESSAGE(file.is_open(), path.string());
  return {std::istreambuf_iterator<char>(file), {}};
}

/// The rows of a table with tabs, without its head line.
inline std::vector<std::vector<std::string>> read_table(const std::filesystem::path& path) {
  const std::string text = read_whole(path);
  std::vector<std::vector<std::string>> rows;
  for (std::string_view line : split(text, '\n')) {
    if (line.empty()) continue;
    std::vector<std::string> row;
    for (std::string_view cell : split(line, '\t')) row.emplace_back(cell);
    rows.push_back(std::move(row));
  }
  REQUIRE(rows.size() > 1);
  rows.erase(rows.begin());
  return rows;
}

/// True for a remark about something that the grammar of RFC 8461 does not allow and we let pass.
inline bool is_leniency(const LintFinding& finding) {
  constexpr std::array<std::string_view, 4> kCodes{"blank-line", "indented-line", "trailing-dot",
                                                   "underscore"};
  for (std::string_view code : kCodes) {
    if (finding.code == code) return finding.severity == LintFinding::Severity::warning;
  }
  return false;
}

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
// The words behind a verb: its own options, and those that each client of the daemon has.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "server/config.h"

namespace boost::program_options {
class options_description;
class positional_options_description;
class variables_map;
}  // namespace boost::program_options

namespace sealane {

/// Reads the words behind a verb into `map` and the variables of `options`.  No option may be
/// abbreviated.  Fails on wrong usage.
Result<void> read_words(std::span<const std::string> words,
                        const boost::program_options::options_description& options,
                        const boost::program_options::positional_options_description& positional,
                        boost::program_options::variables_map& map);

/// How a verb is called, for its messages.
struct VerbUsage {
  std::string_view verb;  ///< "cache list"
  std::string_view text;  ///< "Usage: ...", lines
};

class VerbOptions {
 public:
  /// `values` and flags must outlive read().
  VerbOptions& flag(std::string name, bool& value);
  VerbOptions& text(std::string name, std::optional<std::string>& value);

  /// Reads all words; between `least` and `most` of them are operands.  An exit status where the
  /// verb ends with that: --help or -h has printed the usage to `out`, or wrong usage was told to
  /// `err`.
  std::optional<int> read(std::span<const std::string> words, std::size_t least, std::size_t most,
                          const VerbUsage& usage, std::ostream& out, std::ostream& err);

  std::vector<std::string> operands;
  std::string admin{kDefaultAdmin};  ///< --admin
  bool as_json = false;              ///< --json

 private:
  Result<void> parse(std::span<const std::string> words, std::size_t least, std::size_t most);

  bool help_ = false;
  std::vector<std::pair<std::string, bool*>> flags_;
  std::vector<std::pair<std::string, std::optional<std::string>*>> texts_;
};

/// "90", "90s", "30m", "12h", "7d", "2w": a span of time.
std::optional<std::chrono::seconds> parse_span(std::string_view text);

}  // namespace sealane

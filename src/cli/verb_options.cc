// SPDX-License-Identifier: Apache-2.0
#include "cli/verb_options.h"

#include <boost/program_options.hpp>
#include <map>

#include "base/text.h"
#include "cli/ask.h"

namespace sealane {
namespace po = boost::program_options;

Result<void> read_words(std::span<const std::string> words, const po::options_description& options,
                        const po::positional_options_description& positional,
                        po::variables_map& map) {
  try {
    const int style =
        po::command_line_style::unix_style & ~int(po::command_line_style::allow_guessing);
    po::store(po::command_line_parser(std::vector<std::string>(words.begin(), words.end()))
                  .options(options)
                  .positional(positional)
                  .style(style)
                  .run(),
              map);
    po::notify(map);
  } catch (const po::error& wrong) {
    return failure("{}", escape(wrong.what()));
  }
  return {};
}

VerbOptions& VerbOptions::flag(std::string name, bool& value) {
  flags_.emplace_back(std::move(name), &value);
  return *this;
}

VerbOptions& VerbOptions::text(std::string name, std::optional<std::string>& value) {
  texts_.emplace_back(std::move(name), &value);
  return *this;
}

Result<void> VerbOptions::parse(std::span<const std::string> words, std::size_t least,
                                std::size_t most) {
  constexpr const char* kOperand = "operand";
  po::options_description options;
  options.add_options()("admin", po::value(&admin));
  options.add_options()("json", po::bool_switch(&as_json));
  options.add_options()("help,h", po::bool_switch(&help_));
  options.add_options()(kOperand, po::value(&operands));
  for (const auto& [name, value] : flags_) {
    options.add_options()(name.c_str(), po::bool_switch(value));
  }
  std::map<std::string, std::string> given;
  for (const auto& [name, value] : texts_) {
    options.add_options()(name.c_str(), po::value(&given[name]));
  }
  po::positional_options_description positional;
  positional.add(kOperand, -1);
  po::variables_map map;
  if (auto read = read_words(words, options, positional, map); !read) return read;
  for (const auto& [name, value] : texts_) {
    if (map.count(name) > 0) *value = given[name];
  }
  if (help_) return {};
  if (operands.size() < least) return failure("an operand is missing");
  if (operands.size() > most) return failure("{}: one word too many", escape(operands[most]));
  return {};
}

std::optional<int> VerbOptions::read(std::span<const std::string> words, std::size_t least,
                                     std::size_t most, const VerbUsage& usage, std::ostream& out,
                                     std::ostream& err) {
  const auto parsed = parse(words, least, most);
  if (!parsed) return wrong_usage(err, usage.verb, parsed.error(), usage.text);
  if (!help_) return std::nullopt;
  out << usage.text;
  return kFine;
}

std::optional<std::chrono::seconds> parse_span(std::string_view text) {
  constexpr std::uint64_t kMost = 100ULL * 366 * 86'400;  // a hundred years
  const std::size_t end = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = parse_decimal(text.substr(0, end), kMost);
  const std::map<std::string_view, std::uint64_t> units{
      {"", 1}, {"s", 1}, {"m", 60}, {"h", 3'600}, {"d", 86'400}, {"w", 604'800}};
  const auto unit = units.find(text.substr(end));
  if (!number || unit == units.end() || *number > kMost / unit->second) return std::nullopt;
  return std::chrono::seconds(*number * unit->second);
}

}  // namespace sealane

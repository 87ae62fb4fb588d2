// SPDX-License-Identifier: Apache-2.0
#include "cli/override_edit.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "policy/override_file.h"

namespace sealane {
namespace {

/// All errors, one a line, as the daemon tells them.
tl::unexpected<std::string> problems_of(const OverrideProblems& problems, std::string_view file) {
  std::string text;
  for (const OverrideProblem& problem : problems) {
    const std::string line = problem.line > 0 ? fmt::format(":{}", problem.line) : "";
    text += fmt::format("{}{}{}: {}", text.empty() ? "" : "\n", file, line, problem.text);
  }
  return tl::unexpected<std::string>(std::move(text));
}

/// The lines of the text, each with its end.
std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size() - 1);
    lines.push_back(text.substr(0, end + 1));
    text.remove_prefix(end + 1);
  }
  return lines;
}

/// The place as the parser writes it: lower case, A-labels.
Result<std::string> normal_place(std::string_view place) {
  const bool subtree = place.starts_with('.');
  const auto domain = Domain::parse_idn(place.substr(subtree ? 1 : 0));
  if (!domain) {
    return failure("\"{}\": {}; write a domain or \".domain\"", escape(place), domain.error());
  }
  return (subtree ? "." : "") + domain->text();
}

std::string in_quotes(std::string_view value) {
  const char quote = value.find('"') == std::string_view::npos ? '"' : '\'';
  return fmt::format("{0}{1}{0}", quote, value);
}

}  // namespace

std::string override_line(std::span<const std::string> words) {
  std::string line;
  for (const std::string& word : words) {
    if (!line.empty()) line += ' ';
    const std::size_t equals = word.find('=');
    const bool needs_quotes =
        equals != std::string::npos && word.find_first_of(" \t\"'#") != std::string::npos;
    line += needs_quotes ? word.substr(0, equals + 1) + in_quotes(word.substr(equals + 1)) : word;
  }
  return line;
}

Result<OverrideEdit> add_override(std::string_view text, std::string_view line,
                                  std::string_view file) {
  const auto before = parse_overrides(text);
  if (!before) return problems_of(before.error(), file);
  // It must be one line for the parser too: neither a comment nor two rules.
  if (line.find('\n') != std::string_view::npos) return failure("a rule is one line");
  OverrideEdit edit;
  edit.text = text;
  const bool is_open = !text.empty() && text.back() != '\n';
  if (is_open) edit.text += '\n';
  edit.line = static_cast<int>(std::count(edit.text.begin(), edit.text.end(), '\n')) + 1;
  edit.text += fmt::format("{}\n", line);
  const auto after = parse_overrides(edit.text);
  if (!after) return problems_of(after.error(), file);
  for (const OverrideRule& rule : after->rules()) {
    if (rule.line != edit.line) continue;
    edit.place = rule.place();
    edit.rule = text_of(rule);
    return edit;
  }
  return failure("there is no rule in \"{}\"", escape(line));
}

Result<OverrideEdit> remove_override(std::string_view text, std::string_view place,
                                     std::string_view file) {
  const auto overrides = parse_overrides(text);
  if (!overrides) return problems_of(overrides.error(), file);
  const auto wanted = normal_place(place);
  if (!wanted) return tl::unexpected(wanted.error());
  const auto& rules = overrides->rules();
  const auto found = std::find_if(rules.begin(), rules.end(), [&wanted](const OverrideRule& rule) {
    return rule.place() == *wanted;
  });
  if (found == rules.end()) return failure("{}: there is no rule for {}", file, *wanted);
  OverrideEdit edit;
  edit.place = *wanted;
  edit.rule = text_of(*found);
  edit.line = found->line;
  int number = 0;
  for (const std::string_view line : lines_of(text)) {
    if (++number != found->line) edit.text += line;
  }
  return edit;
}

}  // namespace sealane

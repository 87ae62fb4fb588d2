// SPDX-License-Identifier: Apache-2.0
#include "cli/doctor/report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>

#include "base/text.h"

namespace sealane::doctor {
namespace {

namespace json = boost::json;

constexpr std::string_view kIndent = "         ";
constexpr std::string_view kPlain = "\x1b[0m";

/// Octets that a terminal might obey, as \xNN; backslashes stay, since commands have them.
std::string printable(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool shown = c >= ' ' && c <= '~';
    out += shown ? std::string(1, c) : fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  }
  return out;
}

std::string_view colour_of(Grade grade) {
  switch (grade) {
    case Grade::error:
      return "\x1b[1;31m";
    case Grade::warning:
      return "\x1b[33m";
    case Grade::note:
      return "\x1b[36m";
  }
  return kPlain;
}

/// The text in lines that begin with the indent, broken between words.
std::string wrapped(std::string_view text) {
  std::string out;
  std::string line;
  for (const std::string_view word : words(text)) {
    const bool fits =
        line.empty() || kIndent.size() + line.size() + 1 + word.size() <= kReportWidth;
    if (!fits) {
      out += fmt::format("{}{}\n", kIndent, line);
      line.clear();
    }
    line += line.empty() ? "" : " ";
    line += word;
  }
  return line.empty() ? out : out + fmt::format("{}{}\n", kIndent, line);
}

std::size_t count(const std::vector<Finding>& findings, Grade grade) {
  return static_cast<std::size_t>(
      std::count_if(findings.begin(), findings.end(),
                    [grade](const Finding& finding) { return finding.grade == grade; }));
}

std::string version_text(const PostfixFacts& postfix) {
  const std::string_view version = postfix.value("mail_version");
  return version.empty() ? "?" : escape(version);
}

std::string exim_version_text(const EximFacts& exim) {
  const auto found = exim.main.find("exim_version");
  return found == exim.main.end() ? "?" : escape(found->second);
}

std::vector<std::string> resolver_names(const Facts& facts) {
  std::vector<std::string> names;
  for (const ResolverFact& resolver : facts.resolver.ours) names.push_back(resolver.server);
  return names;
}

/// "Looked at Postfix 3.7.11, resolver 127.0.0.1, ..."
std::string looked_at(const Facts& facts) {
  std::vector<std::string> seen;
  if (facts.postfix) seen.push_back("Postfix " + version_text(*facts.postfix));
  if (facts.exim) seen.push_back("Exim " + exim_version_text(*facts.exim));
  if (seen.empty()) seen.emplace_back("no MTA (there is neither postconf nor exim)");
  seen.push_back(escape(facts.config_file));
  if (facts.daemon.answered) seen.push_back("sealaned at " + escape(facts.daemon.address));
  const std::vector<std::string> resolvers = resolver_names(facts);
  if (!resolvers.empty()) seen.push_back(fmt::format("resolver {}", fmt::join(resolvers, ", ")));
  return fmt::format("Looked at {}.\n", fmt::join(seen, "; "));
}

std::string counted(std::size_t number, std::string_view what) {
  return fmt::format("{} {}{}", number, what, number == 1 ? "" : "s");
}

}  // namespace

bool is_ill(const std::vector<Finding>& findings) {
  return std::any_of(findings.begin(), findings.end(),
                     [](const Finding& finding) { return finding.grade != Grade::note; });
}

std::string report_text(const Facts& facts, const std::vector<Finding>& findings, bool colours) {
  std::string out = looked_at(facts);
  for (const Finding& finding : findings) {
    const std::string grade = fmt::format("{:<8}", name_of(finding.grade));
    out += '\n';
    out += colours ? fmt::format("{}{}{} {}\n", colour_of(finding.grade), grade, kPlain, finding.id)
                   : fmt::format("{} {}\n", grade, finding.id);
    out += wrapped(printable(finding.verdict.text));
    for (const std::string& command : finding.verdict.commands) {
      out += fmt::format("{}# {}\n", kIndent, printable(command));
    }
    if (!finding.verdict.advice.empty()) {
      out += wrapped("(" + printable(finding.verdict.advice) + ")");
    }
  }
  const bool changes_postfix =
      std::any_of(findings.begin(), findings.end(), [](const Finding& finding) {
        const auto& commands = finding.verdict.commands;
        return !commands.empty() && commands.front().starts_with("postconf");
      });
  out += fmt::format("\n{}, {}, {}.\n", counted(count(findings, Grade::error), "error"),
                     counted(count(findings, Grade::warning), "warning"),
                     counted(count(findings, Grade::note), "note"));
  if (changes_postfix) out += "After a postconf command: postfix reload\n";
  return out;
}

std::string report_json(const Facts& facts, const std::vector<Finding>& findings) {
  json::array list;
  for (const Finding& finding : findings) {
    json::array commands;
    for (const std::string& command : finding.verdict.commands) {
      commands.emplace_back(printable(command));
    }
    list.emplace_back(json::object{{"id", finding.id},
                                   {"severity", name_of(finding.grade)},
                                   {"text", printable(finding.verdict.text)},
                                   {"commands", std::move(commands)},
                                   {"advice", printable(finding.verdict.advice)}});
  }
  json::object seen;
  seen["config"] = printable(facts.config_file);
  if (facts.postfix) seen["postfix"] = version_text(*facts.postfix);
  if (facts.exim) seen["exim"] = exim_version_text(*facts.exim);
  if (facts.daemon.answered) seen["daemon"] = printable(facts.daemon.address);
  seen["resolvers"] = json::value_from(resolver_names(facts));
  const json::object root{{"looked_at", std::move(seen)},
                          {"errors", count(findings, Grade::error)},
                          {"warnings", count(findings, Grade::warning)},
                          {"notes", count(findings, Grade::note)},
                          {"findings", std::move(list)}};
  return ascii_json(json::serialize(root)) + "\n";
}

std::string list_of_checks(bool as_json) {
  std::string out;
  json::array list;
  for (const Check& check : all_checks()) {
    out += fmt::format("{:<28} {}\n", check.id, name_of(check.grade));
    list.emplace_back(json::object{{"id", check.id}, {"severity", name_of(check.grade)}});
  }
  return as_json ? ascii_json(json::serialize(list)) + "\n" : out;
}

}  // namespace sealane::doctor

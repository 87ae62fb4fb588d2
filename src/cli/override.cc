// SPDX-License-Identifier: Apache-2.0
#include "cli/override.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <boost/program_options.hpp>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/text.h"
#include "cli/ask.h"
#include "cli/file_edit.h"
#include "cli/override_edit.h"
#include "cli/verb_options.h"
#include "policy/override_file.h"
#include "server/config.h"
#include "server/override_loader.h"

namespace sealane {
namespace json = boost::json;
namespace po = boost::program_options;
namespace {

constexpr std::string_view kUsage =
    "Usage: sealane override list [--file FILE | --config FILE] [--json]\n"
    "       sealane override add PLACE ACTION... [until=DATE] reason=TEXT\n"
    "                            [--file FILE | --config FILE] [--json]\n"
    "       sealane override remove PLACE [--file FILE | --config FILE] [--json]\n";
constexpr std::string_view kReload = "systemctl reload sealaned";

struct Arguments {
  std::vector<std::string> words;
  std::string file;
  std::string config;
  bool as_json = false;
  bool help = false;
};

Result<Arguments> parse(std::span<const std::string> args) {
  Arguments parsed;
  po::options_description options;
  options.add_options()("file", po::value(&parsed.file));
  options.add_options()("config", po::value(&parsed.config));
  options.add_options()("json", po::bool_switch(&parsed.as_json));
  options.add_options()("help,h", po::bool_switch(&parsed.help));
  options.add_options()("word", po::value(&parsed.words));
  po::positional_options_description positional;
  positional.add("word", -1);
  po::variables_map map;
  if (auto read = read_words(args, options, positional, map); !read) {
    return tl::unexpected(std::move(read.error()));
  }
  if (!parsed.file.empty() && !parsed.config.empty())
    return failure("--file or --config, not both");
  return parsed;
}

Result<std::string> file_of(const Arguments& arguments) {
  if (!arguments.file.empty()) return arguments.file;
  CommandLine command_line;
  if (!arguments.config.empty()) command_line.config_file = arguments.config;
  const Result<Config> config = load_config(command_line);
  if (!config) return tl::unexpected(config.error());
  if (!config->overrides_file.empty()) return config->overrides_file;
  return failure("{} has no policy.overrides: add it, or name a file with --file",
                 command_line.config_file.value_or(std::string(kDefaultConfigFile)));
}

/// Errors of several lines, each behind the program's name.
int refuse(std::string_view problems, int status, std::ostream& err) {
  for (const std::string_view line : split(problems, '\n')) {
    err << "sealane override: " << escape(line, kMaxOverrideLine) << '\n';
  }
  return status;
}

/// What the rule does: its text without place, end and reason.
std::string actions_of(const OverrideRule& rule) {
  OverrideRule bare = rule;
  bare.until.reset();
  bare.override_.reason.clear();
  const std::string text = text_of(bare);
  const std::size_t begin = rule.place().size() + 1;
  return text.substr(begin, text.rfind(" reason=") - begin);
}

std::string until_of(const OverrideRule& rule) { return rule.until ? rule.until_text() : ""; }

json::object as_object(const OverrideRule& rule, std::chrono::sys_seconds now) {
  const Override& what = rule.override_;
  json::object object{{"place", rule.place()}, {"line", rule.line}};
  if (!what.postfix_reply.empty()) object["postfix"] = what.postfix_reply;
  if (!what.exim_reply.empty()) object["exim"] = what.exim_reply;
  if (what.dane == DaneOverride::off) object["dane"] = "off";
  if (what.dane == DaneOverride::only) object["dane"] = "only";
  if (what.sts_off) object["sts"] = "off";
  if (what.observe) object["observe"] = true;
  if (rule.until) object["until"] = until_of(rule);
  object["expired"] = !rule.in_force(now);
  object["reason"] = what.reason;
  return object;
}

std::string list_json(const std::string& file, const Overrides& overrides,
                      std::chrono::sys_seconds now) {
  json::array rules;
  for (const OverrideRule& rule : overrides.rules()) rules.emplace_back(as_object(rule, now));
  const json::object root{{"file", escape(file)}, {"overrides", std::move(rules)}};
  return ascii_json(json::serialize(root)) + "\n";
}

/// Columns, as wide as what is in them; the reason comes last and has none.
std::string list_text(const Overrides& overrides, std::chrono::sys_seconds now) {
  using Row = std::array<std::string, 4>;
  std::vector<Row> rows{{"PLACE", "ACTION", "UNTIL", "REASON"}};
  for (const OverrideRule& rule : overrides.rules()) {
    std::string until = rule.until ? until_of(rule) : "-";
    if (!rule.in_force(now)) until += " (over)";
    rows.push_back({rule.place(), escape(actions_of(rule), kMaxOverrideLine), std::move(until),
                    escape(rule.override_.reason)});
  }
  std::array<std::size_t, 3> widths{};
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < widths.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string out;
  for (const Row& row : rows) {
    out += fmt::format("{:<{}}  {:<{}}  {:<{}}  {}\n", row[0], widths[0], row[1], widths[1], row[2],
                       widths[2], row[3]);
  }
  return out;
}

int list(const Arguments& arguments, const std::string& file, std::chrono::sys_seconds now,
         std::ostream& out, std::ostream& err) {
  // A file that is not there is no file without rules: the daemon would not start with it.
  const Result<std::string> text = read_file(file, kMaxOverridesFile);
  if (!text) return refuse(text.error(), kOverrideNoFile, err);
  const auto overrides = load_overrides(file);
  if (!overrides) {
    for (const std::string& problem : overrides.error()) refuse(problem, kOverrideRefused, err);
    return kOverrideRefused;
  }
  out << (arguments.as_json ? list_json(file, *overrides, now) : list_text(*overrides, now));
  return kOverrideDone;
}

/// Runs an edit on the file and tells what became of it.
template <class Edit>
int change(const Arguments& arguments, const std::string& file, std::string_view done, Edit edit,
           std::ostream& out, std::ostream& err) {
  OverrideEdit made;
  bool is_refused = false;
  const Result<void> written =
      edit_file(file, kMaxOverridesFile, [&](std::string_view text) -> Result<std::string> {
        Result<OverrideEdit> result = edit(text);
        is_refused = !result;
        if (!result) return tl::unexpected(result.error());
        made = *std::move(result);
        return made.text;
      });
  if (!written) {
    return refuse(written.error(), is_refused ? kOverrideRefused : kOverrideNoFile, err);
  }
  if (arguments.as_json) {
    const json::object root{{"file", escape(file)}, {"place", made.place}, {"line", made.line},
                            {"rule", made.rule},    {"change", done},      {"reload", kReload}};
    out << ascii_json(json::serialize(root)) << '\n';
    return kOverrideDone;
  }
  out << fmt::format("{}:{}: {} {}\nTo take effect: {}\n", escape(file), made.line, done,
                     escape(made.rule, kMaxOverrideLine), kReload);
  return kOverrideDone;
}

}  // namespace

int override_command(std::span<const std::string> args, std::chrono::sys_seconds now,
                     std::ostream& out, std::ostream& err) {
  const Result<Arguments> arguments = parse(args);
  if (!arguments) return wrong_usage(err, "override", arguments.error(), kUsage);
  if (arguments->help) {
    out << kUsage;
    return kOverrideDone;
  }
  const std::vector<std::string>& words = arguments->words;
  const std::string verb = words.empty() ? "" : words.front();
  const bool is_right = (verb == "list" && words.size() == 1) ||
                        (verb == "add" && words.size() > 2) ||
                        (verb == "remove" && words.size() == 2);
  if (!is_right) {
    return wrong_usage(err, "override", "list, add PLACE WORD... or remove PLACE is wanted",
                       kUsage);
  }
  const Result<std::string> file = file_of(*arguments);
  if (!file) return refuse(file.error(), kOverrideNoFile, err);
  if (verb == "list") return list(*arguments, *file, now, out, err);
  if (verb == "remove") {
    const auto remove = [&](std::string_view text) {
      return remove_override(text, words[1], *file);
    };
    return change(*arguments, *file, "removed", remove, out, err);
  }
  const std::string line = override_line(std::span(words).subspan(1));
  const auto add = [&](std::string_view text) { return add_override(text, line, *file); };
  return change(*arguments, *file, "added", add, out, err);
}

}  // namespace sealane

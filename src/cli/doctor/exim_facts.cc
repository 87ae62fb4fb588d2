// SPDX-License-Identifier: Apache-2.0
#include "cli/doctor/exim_facts.h"

#include <array>
#include <utility>

#include "base/text.h"
#include "cli/doctor/child.h"
#include "cli/doctor/postfix_facts.h"

namespace sealane::doctor {
namespace {

/// "remote_smtp transport:" begins the options of a driver.
std::optional<std::string> heading(std::string_view line) {
  const std::vector<std::string_view> found = words(line);
  if (found.size() != 2 || line.starts_with(' ')) return std::nullopt;
  if (found[1] != "transport:" && found[1] != "router:") return std::nullopt;
  return std::string(found[0]);
}

/// "name = value", or a switch: "name", "no_name".
void read_option(std::string_view line, Parameters& options) {
  const auto equals = line.find(" =");
  if (equals != std::string_view::npos) {
    options[std::string(line.substr(0, equals))] = trim(line.substr(equals + 2));
    return;
  }
  if (line.empty() || words(line).size() != 1) return;
  const bool is_off = line.starts_with("no_");
  options[std::string(is_off ? line.substr(3) : line)] = is_off ? "false" : "true";
}

std::string complaint_in(const ChildOutput& output) {
  std::string text;
  const std::string said = output.err + output.out;
  for (const std::string_view line : split(said, '\n')) {
    const std::string_view trimmed = trim(line);
    if (!trimmed.empty()) text = trimmed;
  }
  return text.empty() ? fmt::format("exim ends with status {}", output.status) : escape(text);
}

}  // namespace

std::vector<EximDriver> parse_drivers(std::string_view text, std::string_view driver) {
  std::vector<EximDriver> drivers;
  for (const std::string_view line : split(text, '\n')) {
    if (auto name = heading(line)) {
      drivers.push_back({*std::move(name), {}});
    } else if (!drivers.empty()) {
      read_option(line, drivers.back().options);
    }
  }
  std::erase_if(drivers, [driver](const EximDriver& candidate) {
    const auto its = candidate.options.find("driver");
    return its == candidate.options.end() || its->second != driver;
  });
  return drivers;
}

std::optional<EximFacts> look_at_exim(const std::string& config_file) {
  auto program = find_program("exim4");
  if (!program) program = find_program("exim");
  if (!program) return std::nullopt;
  EximFacts facts;
  facts.config_file = config_file;
  const auto ask = [&](std::vector<std::string> what) {
    std::vector<std::string> argv{*program};
    if (!config_file.empty()) argv.insert(argv.end(), {"-C", config_file});
    argv.emplace_back("-bP");
    argv.insert(argv.end(), what.begin(), what.end());
    return run_child(argv);
  };
  std::array<std::string, 3> texts;
  const std::array<std::vector<std::string>, 3> questions{
      {{"dns_dnssec_ok", "dns_trust_aa", "exim_version"}, {"routers"}, {"transports"}}};
  for (std::size_t i = 0; i < questions.size(); ++i) {
    auto output = ask(questions[i]);
    if (!output) facts.problem = output.error();
    if (output && output->status != 0) facts.problem = complaint_in(*output);
    if (!facts.problem.empty()) return facts;
    texts[i] = std::move(output->out);
  }
  facts.main = parse_parameters(texts[0]);
  facts.routers = parse_drivers(texts[1], "dnslookup");
  facts.transports = parse_drivers(texts[2], "smtp");
  return facts;
}

}  // namespace sealane::doctor

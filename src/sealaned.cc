// SPDX-License-Identifier: Apache-2.0
// `sealaned`: the daemon.
#include <exception>
#include <iostream>
#include <string>
#include <vector>

#include "base/log.h"
#include "daemon.h"
#include "server/config.h"
#include "server/override_loader.h"

namespace {

constexpr int kNoStart = 1;  ///< the configuration is wrong, or something it names
constexpr int kWrongUsage = 2;

int refuse(const std::string& cause) {
  sealane::log(sealane::Severity::error, "no_start", {{"cause", cause}});
  return kNoStart;
}

/// Shows the configuration, or all that is wrong with it and with the overrides that it names.
int check_config(const sealane::CommandLine& command_line) {
  const auto config = sealane::load_config(command_line);
  if (!config) {
    std::cerr << "sealaned: " << config.error() << '\n';
    return kNoStart;
  }
  std::cout << sealane::config_text(*config);
  if (config->overrides_file.empty()) return 0;
  const auto overrides = sealane::load_overrides(config->overrides_file);
  if (overrides) {
    std::cout << "\n# " << config->overrides_file << ": " << overrides->rules().size()
              << " overrides\n";
    return 0;
  }
  for (const std::string& problem : overrides.error()) {
    std::cerr << "sealaned: " << problem << '\n';
  }
  return kNoStart;
}

int run(const std::vector<std::string>& arguments) {
  using Verb = sealane::CommandLine::Verb;
  const auto command_line = sealane::parse_command_line(arguments);
  if (!command_line) {
    std::cerr << "sealaned: " << command_line.error() << "\nTry: sealaned --help\n";
    return kWrongUsage;
  }
  if (command_line->verb == Verb::help) {
    std::cout << sealane::usage_text();
    return 0;
  }
  if (command_line->verb == Verb::version) {
    std::cout << "sealaned " SEALANE_VERSION "\n";
    return 0;
  }

  if (command_line->verb == Verb::check_config) return check_config(*command_line);
  auto config = sealane::load_config(*command_line);
  if (!config) return refuse(config.error());
  auto daemon = sealane::Daemon::create(*command_line, std::move(*config));
  if (!daemon) return refuse(daemon.error());
  (*daemon)->run();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(std::vector<std::string>(argv + 1, argv + argc));
  } catch (const std::exception& error) {
    return refuse(std::string("internal error: ") + error.what());
  }
}

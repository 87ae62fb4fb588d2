// SPDX-License-Identifier: Apache-2.0
// `sealaned`: the daemon.
#include <exception>
#include <iostream>
#include <string>
#include <vector>

#include "base/log.h"
#include "daemon.h"
#include "server/access_table.h"
#include "server/config.h"
#include "server/override_loader.h"

namespace {

constexpr int kNoStart = 1;  ///< the configuration is wrong, or something it names
constexpr int kWrongUsage = 2;

int refuse(const std::string& cause) {
  sealane::log(sealane::Severity::error, "no_start", {{"cause", cause}});
  return kNoStart;
}

/// Tells how many rules a file that the configuration names has, or all that is wrong with it.
template <class Load>
bool check_file(const std::string& file, const char* what, const Load& load) {
  if (file.empty()) return true;
  const auto loaded = load(file);
  if (loaded) {
    std::cout << "\n# " << file << ": " << loaded->rules().size() << ' ' << what << '\n';
    return true;
  }
  for (const std::string& problem : loaded.error()) std::cerr << "sealaned: " << problem << '\n';
  return false;
}

/// Shows the configuration, or all that is wrong with it and with the files that it names.
int check_config(const sealane::CommandLine& command_line) {
  const auto config = sealane::load_config(command_line);
  if (!config) {
    std::cerr << "sealaned: " << config.error() << '\n';
    return kNoStart;
  }
  std::cout << sealane::config_text(*config);
  const bool overrides_fit =
      check_file(config->overrides_file, "overrides", sealane::load_overrides);
  const bool access_fits = check_file(config->access_table, "rules", sealane::load_access_table);
  return overrides_fit && access_fits ? 0 : kNoStart;
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

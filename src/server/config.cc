// SPDX-License-Identifier: Apache-2.0
#include "server/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <filesystem>
#include <map>
#include <sstream>
#include <utility>

#include "base/file.h"
#include "base/text.h"

namespace sealane {
namespace po = boost::program_options;
namespace {

/// A comment begins with "#" or ";" at the beginning of a line, or with "#" after a blank.
std::string_view without_comment(std::string_view line) {
  const std::string_view text = trim(line);
  if (text.starts_with('#') || text.starts_with(';')) return {};
  for (std::size_t i = 1; i < text.size(); ++i) {
    const bool after_blank = text[i - 1] == ' ' || text[i - 1] == '\t';
    if (text[i] == '#' && after_blank) return trim(text.substr(0, i));
  }
  return text;
}

bool is_printable(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) {
    const auto octet = static_cast<unsigned char>(c);
    return octet < 0x20 || octet == 0x7f;
  });
}

const ConfigOption* option_named(std::string_view name) {
  for (const ConfigOption& option : config_options()) {
    if (option.name == name) return &option;
  }
  return nullptr;
}

std::string known_names_near(std::string_view name) {
  const std::string section(name.substr(0, std::min(name.find('.'), name.size())));
  std::string same_section;
  std::string sections;
  std::string last;
  for (const ConfigOption& option : config_options()) {
    const std::string here(option.name.substr(0, option.name.find('.')));
    if (here == section) same_section += fmt::format(" {}", option.name.substr(here.size() + 1));
    if (here != last) sections += " " + here;
    last = here;
  }
  if (same_section.empty()) return fmt::format("the sections are{}", sections);
  return fmt::format("[{}] has{}", section, same_section);
}

using ByName = std::map<std::string, std::vector<const ConfigSetting*>, std::less<>>;

Result<void> collect(ByName& by_name, const std::vector<ConfigSetting>& settings) {
  ByName here;
  for (const ConfigSetting& setting : settings) {
    const ConfigOption* option = option_named(setting.name);
    if (option == nullptr) {
      return failure("{}: unknown option \"{}\"; {}", setting.origin, escape(setting.name),
                     known_names_near(setting.name));
    }
    auto& values = here[setting.name];
    if (!option->repeatable && !values.empty()) {
      return failure("{}: {} is given twice (first: {})", setting.origin, setting.name,
                     values.front()->origin);
    }
    values.push_back(&setting);
  }
  for (auto& [name, values] : here) by_name[name] = std::move(values);
  return {};
}

Result<void> apply(Config& config, const ConfigOption& option, const ConfigSetting& setting) {
  if (setting.value.empty()) {
    return failure("{}: {} has no value; it takes {}", setting.origin, option.name, option.value);
  }
  if (!is_printable(setting.value)) {
    return failure("{}: {} has a control character in its value", setting.origin, option.name);
  }
  if (const Result<void> set = option.set(config, setting.value); !set) {
    return failure("{}: {} = {}: {}", setting.origin, option.name,
                   escape(without_password(setting.value)), set.error());
  }
  return {};
}

po::options_description own_options() {
  po::options_description own("Usage: sealaned [OPTION]...\n\nDoes");
  own.add_options()("help", "show this text and exit");
  own.add_options()("version", "show the version and exit");
  own.add_options()("config", po::value<std::string>()->value_name("FILE"),
                    "configuration file (default: /etc/sealane/sealane.conf, if it is there)");
  own.add_options()("check-config", "show the configuration in effect, or its error, and exit");
  own.add_options()("reset-store", "put a store that cannot be read aside and start an empty one");
  return own;
}

po::options_description file_options() {
  po::options_description all("Configuration, as in the file; the command line wins");
  for (const ConfigOption& option : config_options()) {
    all.add_options()(std::string(option.name).c_str(),
                      po::value<std::vector<std::string>>()->value_name(std::string(option.value)),
                      std::string(option.help).c_str());
  }
  return all;
}

}  // namespace

Result<std::vector<ConfigSetting>> parse_config_text(std::string_view text,
                                                     std::string_view file_name) {
  std::vector<ConfigSetting> settings;
  std::string section;
  std::size_t number = 0;
  for (std::string_view raw : split(text, '\n')) {
    const std::string origin = fmt::format("{}:{}", file_name, ++number);
    if (raw.ends_with('\r')) raw.remove_suffix(1);
    const std::string_view line = without_comment(raw);
    if (line.empty()) continue;
    if (line.starts_with('[')) {
      if (!line.ends_with(']')) return failure("{}: a section is written [name]", origin);
      section = trim(line.substr(1, line.size() - 2));
      continue;
    }
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos || equals == 0) {
      return failure("{}: \"{}\" is neither \"key = value\" nor \"[section]\"", origin,
                     escape(without_password(line)));
    }
    const std::string_view key = trim(line.substr(0, equals));
    const std::string_view value = trim(line.substr(equals + 1));
    std::string name = section.empty() ? std::string(key) : fmt::format("{}.{}", section, key);
    settings.push_back({std::move(name), std::string(value), origin});
  }
  return settings;
}

Result<Config> make_config(const std::vector<ConfigSetting>& file,
                           const std::vector<ConfigSetting>& command_line) {
  ByName by_name;
  if (const Result<void> good = collect(by_name, file); !good) return tl::unexpected(good.error());
  if (const Result<void> good = collect(by_name, command_line); !good) {
    return tl::unexpected(good.error());
  }
  Config config;
  for (const auto& [name, values] : by_name) {
    for (const ConfigSetting* setting : values) {
      const Result<void> good = apply(config, *option_named(name), *setting);
      if (!good) return tl::unexpected(good.error());
    }
  }
  if (config.socketmap.empty())
    config.socketmap.push_back(*parse_listen_address(kDefaultSocketmap));
  if (config.admin.empty()) config.admin.push_back(*parse_listen_address(kDefaultAdmin, 0600));
  return config;
}

std::string config_text(const Config& config) {
  std::string out;
  std::string section;
  for (const ConfigOption& option : config_options()) {
    const std::size_t dot = option.name.find('.');
    const std::string key(option.name.substr(dot + 1));
    const std::vector<std::string> values = option.get(config);
    if (section != option.name.substr(0, dot)) {
      section = option.name.substr(0, dot);
      out += fmt::format("{}[{}]\n", out.empty() ? "" : "\n", section);
    }
    for (const std::string& value : values) out += fmt::format("{} = {}\n", key, value);
    if (values.empty()) out += fmt::format("# {}: {}\n", key, option.help);
  }
  return out;
}

Result<CommandLine> parse_command_line(const std::vector<std::string>& arguments) {
  po::options_description all;
  all.add(own_options()).add(file_options());
  CommandLine command;
  try {
    // Abbreviations would change their meaning with every new option.
    const int style =
        po::command_line_style::unix_style & ~int(po::command_line_style::allow_guessing);
    const po::positional_options_description none;
    const auto parsed =
        po::command_line_parser(arguments).options(all).positional(none).style(style).run();
    po::variables_map given;
    po::store(parsed, given);
    if (given.count("check-config") > 0) command.verb = CommandLine::Verb::check_config;
    if (given.count("version") > 0) command.verb = CommandLine::Verb::version;
    if (given.count("help") > 0) command.verb = CommandLine::Verb::help;
    command.reset_store = given.count("reset-store") > 0;
    if (given.count("config") > 0) command.config_file = given["config"].as<std::string>();
    for (const ConfigOption& option : config_options()) {
      const std::string name(option.name);
      if (given.count(name) == 0) continue;
      for (const auto& value : given[name].as<std::vector<std::string>>()) {
        command.settings.push_back({name, value, "command line"});
      }
    }
  } catch (const po::error& wrong) {
    return failure("{}", escape(wrong.what()));
  }
  return command;
}

std::string usage_text() {
  std::ostringstream out;
  out << own_options() << '\n' << file_options();
  return out.str();
}

Result<Config> load_config(const CommandLine& command_line) {
  const std::string path = command_line.config_file.value_or(std::string(kDefaultConfigFile));
  std::vector<ConfigSetting> from_file;
  // Only a default file that is not there at all may be missing: one that cannot be read, or a
  // dangling link, would be a configuration silently ignored.
  std::error_code unknown;
  const bool absent = std::filesystem::symlink_status(path, unknown).type() ==
                      std::filesystem::file_type::not_found;
  if (command_line.config_file || !absent) {
    const Result<std::string> text = read_file(path, kMaxConfigFile);
    if (!text) return tl::unexpected(text.error());
    Result<std::vector<ConfigSetting>> settings = parse_config_text(*text, path);
    if (!settings) return tl::unexpected(settings.error());
    from_file = std::move(*settings);
  }
  return make_config(from_file, command_line.settings);
}

}  // namespace sealane

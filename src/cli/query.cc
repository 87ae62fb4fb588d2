// SPDX-License-Identifier: Apache-2.0
#include "cli/query.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <boost/program_options.hpp>
#include <optional>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "cli/admin_client.h"
#include "server/config.h"

namespace sealane {
namespace json = boost::json;
namespace po = boost::program_options;
namespace {

constexpr std::string_view kQueryUsageText =
    "Usage: sealane query KEY [--dialect NAME] [--admin unix:PATH] [--json]\n";
constexpr std::string_view kStatusUsageText =
    "Usage: sealane status [--admin unix:PATH] [--json]\n";

struct Arguments {
  std::optional<std::string> key;
  std::string dialect = "postfix";
  std::string admin{kDefaultAdmin};
  bool as_json = false;
};

/// Fails on wrong usage.
Result<Arguments> parse(std::span<const std::string> args, bool with_key) {
  Arguments parsed;
  std::vector<std::string> keys;
  po::options_description options;
  options.add_options()("admin", po::value(&parsed.admin));
  options.add_options()("json", po::bool_switch(&parsed.as_json));
  po::positional_options_description positional;
  if (with_key) {
    options.add_options()("dialect", po::value(&parsed.dialect));
    options.add_options()("key", po::value(&keys));
    positional.add("key", 1);
  }
  try {
    const int style =
        po::command_line_style::unix_style & ~int(po::command_line_style::allow_guessing);
    po::variables_map map;
    po::store(po::command_line_parser(std::vector<std::string>(args.begin(), args.end()))
                  .options(options)
                  .positional(positional)
                  .style(style)
                  .run(),
              map);
    po::notify(map);
  } catch (const po::error& wrong) {
    return failure("{}", escape(wrong.what()));
  }
  if (with_key && keys.size() != 1) return failure("one KEY is wanted");
  if (with_key) parsed.key = keys.front();
  return parsed;
}

/// Nothing that a terminal might obey.
std::string for_terminal(std::string_view text) {
  std::string out;
  for (char c : text) {
    const bool printable = c >= 0x20 && c < 0x7f;
    out += printable ? std::string(1, c) : fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  }
  return out;
}

/// The answer as a JSON object; errors are told, and give the exit status.
std::optional<json::object> ask(const Arguments& arguments, const std::string& target,
                                std::ostream& err, int& exit_status) {
  const Result<AdminAnswer> answer = admin_get(arguments.admin, target);
  exit_status = kQueryTemporary;
  if (!answer) {
    err << "sealane: " << answer.error() << '\n';
    return std::nullopt;
  }
  boost::system::error_code wrong;
  const json::value parsed = json::parse(answer->body, wrong);
  if (wrong || !parsed.is_object()) {
    err << "sealane: the answer of the daemon is not JSON\n";
    return std::nullopt;
  }
  if (answer->status != 200) {
    const json::value* text = parsed.as_object().if_contains("error");
    const bool is_text = text != nullptr && text->is_string();
    err << "sealane: " << (is_text ? for_terminal(text->as_string()) : "error") << '\n';
    if (answer->status == 400) exit_status = kQueryUsage;
    return std::nullopt;
  }
  return parsed.as_object();
}

std::string text_of(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->as_string()) : "";
}

/// "cache.hits 12", one a line, in the order of the answer.
void print_flat(const json::value& value, const std::string& name, std::ostream& out) {
  if (value.is_object()) {
    for (const auto& [key, inner] : value.as_object()) {
      print_flat(inner, name.empty() ? std::string(key) : name + "." + std::string(key), out);
    }
  } else if (value.is_array()) {
    for (const json::value& inner : value.as_array()) print_flat(inner, name, out);
  } else if (value.is_string()) {
    out << name << ' ' << for_terminal(value.as_string()) << '\n';
  } else {
    out << name << ' ' << json::serialize(value) << '\n';
  }
}

}  // namespace

int query_command(std::span<const std::string> args, std::ostream& out, std::ostream& err) {
  const Result<Arguments> arguments = parse(args, true);
  if (!arguments) {
    err << "sealane query: " << arguments.error() << '\n' << kQueryUsageText;
    return kQueryUsage;
  }
  const std::string target =
      fmt::format("/v1/query?key={}&dialect={}", percent_encoded(*arguments->key),
                  percent_encoded(arguments->dialect));
  int exit_status = kQueryTemporary;
  const std::optional<json::object> answer = ask(*arguments, target, err, exit_status);
  if (!answer) return exit_status;

  if (arguments->as_json) {
    out << json::serialize(*answer) << '\n';
  } else {
    out << for_terminal(text_of(*answer, "reply")) << '\n';
  }
  const std::string status = text_of(*answer, "status");
  if (status == "OK") return kQueryOk;
  if (status == "NOTFOUND") return kQueryNotFound;
  return kQueryTemporary;
}

int status_command(std::span<const std::string> args, std::ostream& out, std::ostream& err) {
  const Result<Arguments> arguments = parse(args, false);
  if (!arguments) {
    err << "sealane status: " << arguments.error() << '\n' << kStatusUsageText;
    return kQueryUsage;
  }
  int exit_status = kQueryTemporary;
  const std::optional<json::object> answer = ask(*arguments, "/v1/status", err, exit_status);
  if (!answer) return exit_status;
  if (arguments->as_json) {
    out << json::serialize(*answer) << '\n';
  } else {
    print_flat(*answer, "", out);
  }
  return kQueryOk;
}

}  // namespace sealane

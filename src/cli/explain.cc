// SPDX-License-Identifier: Apache-2.0
#include "cli/explain.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <boost/program_options.hpp>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "cli/admin_client.h"
#include "cli/explain_tree.h"
#include "cli/json_fields.h"
#include "server/config.h"
#include "server/postfix_reply.h"

namespace sealane {
namespace json = boost::json;
namespace po = boost::program_options;
namespace {

constexpr std::string_view kUsageText =
    "Usage: sealane explain KEY [--dialect NAME] [--live] [--admin unix:PATH] [--json]\n";

struct Arguments {
  std::string key;
  std::string dialect;  ///< empty: all
  std::string admin{kDefaultAdmin};
  bool live = false;
  bool as_json = false;
};

/// Fails on wrong usage.
Result<Arguments> parse(std::span<const std::string> args) {
  Arguments parsed;
  std::vector<std::string> keys;
  po::options_description options;
  options.add_options()("admin", po::value(&parsed.admin))("dialect", po::value(&parsed.dialect))(
      "live", po::bool_switch(&parsed.live))("json", po::bool_switch(&parsed.as_json))(
      "key", po::value(&keys));
  po::positional_options_description positional;
  positional.add("key", -1);
  const int style =
      po::command_line_style::unix_style & ~int(po::command_line_style::allow_guessing);
  try {
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
  if (keys.size() != 1 || keys.front().empty()) return failure("one KEY is wanted");
  parsed.key = keys.front();
  return parsed;
}

std::string target_of(const Arguments& arguments) {
  std::string target = "/v1/explain/" + percent_encoded(arguments.key);
  const char* separator = "?";
  if (!arguments.dialect.empty()) {
    target += "?dialect=" + percent_encoded(arguments.dialect);
    separator = "&";
  }
  if (arguments.live) target += fmt::format("{}live=1", separator);
  return target;
}

/// "QUERY" is told as the dialect that it is.
std::string dialect_told(const std::string& name) {
  if (name.empty()) return std::string(name_of(Dialect::postfix));
  const auto dialect = dialect_named(name);
  return dialect ? std::string(name_of(*dialect)) : name;
}

}  // namespace

int explain_command(std::span<const std::string> args, bool in_colour, std::ostream& out,
                    std::ostream& err) {
  const Result<Arguments> arguments = parse(args);
  if (!arguments) {
    err << "sealane explain: " << arguments.error() << '\n' << kUsageText;
    return kExplainUsage;
  }
  const Result<AdminAnswer> answer = admin_get(arguments->admin, target_of(*arguments));
  if (!answer) {
    err << "sealane: " << answer.error() << '\n';
    return kNotExplained;
  }
  boost::system::error_code wrong;
  const json::value parsed = json::parse(answer->body, wrong);
  if (wrong || !parsed.is_object()) {
    err << "sealane: the answer of the daemon is not JSON\n";
    return kNotExplained;
  }
  const json::object& explanation = parsed.get_object();
  if (answer->status != 200) {
    err << "sealane: " << for_terminal(text_at(explanation, "error")) << '\n';
    return answer->status == 400 ? kExplainUsage : kNotExplained;
  }
  if (arguments->as_json) {
    out << ascii_json(json::serialize(explanation)) << '\n';
  } else {
    out << explanation_tree(explanation, dialect_told(arguments->dialect), Paint(in_colour));
  }
  return kExplained;
}

}  // namespace sealane

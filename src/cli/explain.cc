// SPDX-License-Identifier: Apache-2.0
#include "cli/explain.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <optional>
#include <string_view>

#include "base/text.h"
#include "cli/ask.h"
#include "cli/explain_tree.h"
#include "cli/verb_options.h"
#include "server/mta_reply.h"

namespace sealane {
namespace json = boost::json;
namespace {

constexpr std::string_view kUsage =
    "Usage: sealane explain KEY [--dialect NAME] [--live] [--admin unix:PATH] [--json]\n";

std::string target_of(const std::string& key, const std::optional<std::string>& dialect,
                      bool live) {
  std::string target = fmt::format("/v1/explain/{}?live={}", percent_encoded(key), live ? 1 : 0);
  if (dialect) target += "&dialect=" + percent_encoded(*dialect);
  return target;
}

/// "QUERY" is told as the dialect that it is.
std::string dialect_told(const std::optional<std::string>& name) {
  if (!name) return std::string(name_of(Dialect::postfix));
  const auto dialect = dialect_called(*name);
  return dialect ? std::string(name_of(*dialect)) : *name;
}

}  // namespace

int explain_command(std::span<const std::string> args, const Console& console) {
  VerbOptions options;
  std::optional<std::string> dialect;
  bool live = false;
  const auto ended = options.text("dialect", dialect)
                         .flag("live", live)
                         .read(args, 1, 1, {"explain", kUsage}, console.out, console.err);
  if (ended) return *ended;
  const std::string& key = options.operands.front();
  if (key.empty()) return wrong_usage(console.err, "explain", "the key is empty", kUsage);
  AdminRequest request;
  request.target = target_of(key, dialect, live);
  const auto explanation = ask_object(options.admin, request, console.err);
  if (!explanation) return explanation.error();

  if (options.as_json) {
    console.out << ascii_json(json::serialize(*explanation)) << '\n';
  } else {
    console.out << explanation_tree(*explanation, dialect_told(dialect), Paint(console.in_colour));
  }
  return kFine;
}

}  // namespace sealane

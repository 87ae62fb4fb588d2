// SPDX-License-Identifier: Apache-2.0
#include "cli/query.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <optional>
#include <string_view>

#include "base/text.h"
#include "cli/ask.h"
#include "cli/json_fields.h"
#include "cli/terminal.h"
#include "cli/verb_options.h"

namespace sealane {
namespace json = boost::json;
namespace {

constexpr std::string_view kUsage =
    "Usage: sealane query KEY [--dialect NAME] [--requiretls] [--tls-required-no]\n"
    "                     [--admin unix:PATH] [--json]\n";

}  // namespace

int query_command(std::span<const std::string> args, std::ostream& out, std::ostream& err) {
  VerbOptions options;
  std::optional<std::string> dialect;
  bool requiretls = false;
  bool tls_required_no = false;
  const auto ended = options.text("dialect", dialect)
                         .flag("requiretls", requiretls)
                         .flag("tls-required-no", tls_required_no)
                         .read(args, 1, 1, {"query", kUsage}, out, err);
  if (ended) return *ended;
  AdminRequest request;
  request.target =
      fmt::format("/v1/query?key={}&dialect={}", percent_encoded(options.operands.front()),
                  percent_encoded(dialect.value_or("postfix")));
  if (requiretls) request.target += "&requiretls=1";
  if (tls_required_no) request.target += "&tls-required=no";
  const auto answer = ask_object(options.admin, request, err);
  if (!answer) return answer.error();

  out << (options.as_json ? ascii_json(json::serialize(*answer))
                          : for_terminal(text_at(*answer, "reply")))
      << '\n';
  const std::string_view status = text_at(*answer, "status");
  if (status == "OK") return kQueryOk;
  if (status == "NOTFOUND") return kQueryNotFound;
  return kQueryTemporary;
}

}  // namespace sealane

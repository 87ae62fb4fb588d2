// SPDX-License-Identifier: Apache-2.0
#include "server/overrides_api.h"

#include <algorithm>
#include <boost/json.hpp>
#include <utility>

#include "base/utc.h"
#include "server/across.h"

namespace sealane {
namespace json = boost::json;
namespace {

/// Rules a piece.
constexpr std::size_t kRulesPerPiece = 200;

using OverridesPtr = std::shared_ptr<const Overrides>;

std::string line_of(const OverrideRule& rule, std::chrono::sys_seconds now) {
  const Override& what = rule.override_;
  json::object line{{"place", rule.place()}, {"line", rule.line}, {"reason", what.reason}};
  line["in_force"] = rule.in_force(now);
  if (rule.until) line["until"] = utc_text(*rule.until);
  if (!what.postfix_reply.empty()) line["postfix"] = what.postfix_reply;
  if (!what.exim_reply.empty()) line["exim"] = what.exim_reply;
  if (what.dane != DaneOverride::none) {
    line["dane"] = what.dane == DaneOverride::off ? "off" : "only";
  }
  if (what.sts_off) line["sts"] = "off";
  if (what.observe) line["observe"] = true;
  return json::serialize(line) + "\n";
}

Task<OverridesPtr> current(AdminPartsPtr parts) { co_return parts->overrides.current(); }

Task<std::optional<std::string>> next_piece(AdminPartsPtr parts, OverridesPtr overrides,
                                            std::shared_ptr<std::size_t> at) {
  const auto& rules = overrides->rules();
  if (*at >= rules.size()) co_return std::nullopt;
  const std::size_t end = std::min(rules.size(), *at + kRulesPerPiece);
  std::string lines;
  for (; *at < end; ++*at) lines += line_of(rules[*at], parts->clock.wall());
  co_return lines;
}

Task<HttpResponse> list(AdminPartsPtr parts) {
  auto asking = across(parts->lookup, current(parts));
  OverridesPtr overrides = co_await std::move(asking);
  auto at = std::make_shared<std::size_t>(0);
  HttpResponse response;
  response.pieces = [parts, overrides, at] { return next_piece(parts, overrides, at); };
  co_return response;
}

}  // namespace

void add_overrides_route(HttpServer& server, AdminPartsPtr parts) {
  HttpRoute route;
  route.method = "GET";
  route.pattern = "/v1/overrides";
  route.handler = [parts](HttpRequest) { return list(parts); };
  server.add(std::move(route));
}

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
#include "server/policy_api.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <string>
#include <utility>
#include <variant>

#include "policy/next_hop.h"
#include "server/policy_json.h"
#include "server/postfix_reply.h"

namespace sealane {
namespace json = boost::json;
namespace {

std::string retry_after(std::chrono::seconds wait) {
  return fmt::format("Retry-After: {}\r\n", std::max(wait, std::chrono::seconds{1}).count());
}

/// In which "none" means that nothing is demanded.
bool tells_everything(Dialect dialect) {
  return dialect == Dialect::postfix || dialect == Dialect::postfix_tlsrpt ||
         dialect == Dialect::postfix_pins;
}

Task<HttpResponse> tell(AnswerCache& cache, const Clock& clock, HttpRequest request) {
  // A bare name, without brackets and port, is what keys of "requiretls" are.
  const ParsedKey key = parse_requiretls_key(request.names.front());
  if (const auto* none = std::get_if<NoNextHop>(&key)) {
    co_return HttpResponse::error(400, "a domain is wanted: " + none->text);
  }
  std::optional<Dialect> dialect = Dialect::postfix;
  if (request.parameters.contains("dialect")) dialect = dialect_named(request.parameter("dialect"));
  if (!dialect || !tells_everything(*dialect)) {
    co_return HttpResponse::error(
        400, "the dialects are postfix, postfix-tlsrpt and postfix-pins: others leave DANE out");
  }
  PolicyQuestion question;
  question.key = std::get<NextHop>(key).domain.text();
  question.dialect = *dialect;
  question.whom = AskedFor::people;  // or for mail: nobody says
  json::object told{{"domain", question.key}, {"dialect", name_of(*dialect)}};

  auto asking = cache.ask(std::move(question));
  const AnswerPtr answer = co_await std::move(asking);
  if (!answer) {
    co_return HttpResponse::error(503, "shutting down", retry_after(std::chrono::seconds{1}));
  }
  const json::object policy = policy_json(*answer, clock.steady());
  told.insert(policy.begin(), policy.end());
  HttpResponse response;
  response.body = json::serialize(told);
  // Who looks at nothing but the status must not take "not known" for "nothing is demanded".
  if (policy.at("status") == "temporary") {
    response.status = 503;
    response.more_head = retry_after(time_left(*answer, clock.steady()));
  }
  co_return response;
}

}  // namespace

HttpLimits policy_limits() {
  HttpLimits limits;
  limits.connections = kMaxPolicyConnections;
  limits.of_client = kMaxPolicyConnectionsOfClient;
  limits.head = kPolicyHeadPatience;
  limits.patience = kPolicyPatience;
  return limits;
}

HttpRoute policy_route(AnswerCache& cache, const Clock& clock) {
  HttpRoute route;
  route.method = "GET";
  route.pattern = "/v1/policy/*";
  route.parameters = {"dialect"};
  route.handler = [&cache, &clock](HttpRequest request) {
    return tell(cache, clock, std::move(request));
  };
  return route;
}

}  // namespace sealane

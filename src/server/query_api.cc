// SPDX-License-Identifier: Apache-2.0
#include "server/query_api.h"

#include <algorithm>
#include <boost/json.hpp>
#include <utility>

#include "base/text.h"
#include "policy/next_hop.h"
#include "server/postfix_reply.h"

namespace sealane {
namespace json = boost::json;
namespace {

std::string_view first_word(std::string_view reply) { return reply.substr(0, reply.find(' ')); }

Task<HttpResponse> query(AnswerCache& cache, const Clock& clock, HttpRequest request) {
  if (!request.parameters.contains("key")) {
    co_return HttpResponse::error(400, "the parameter key is missing");
  }
  const bool has_dialect = request.parameters.contains("dialect");
  const std::string dialect_name(has_dialect ? request.parameter("dialect") : "postfix");
  const std::optional<Dialect> dialect = dialect_named(dialect_name);
  if (!dialect) {
    co_return HttpResponse::error(400, "unknown dialect; there are " + known_map_names());
  }
  PolicyQuestion question;
  question.key = std::string(request.parameter("key"));
  question.dialect = *dialect;
  question.whom = AskedFor::people;
  const std::string key = question.key;

  auto asking = cache.ask(std::move(question));
  const AnswerPtr answer = co_await std::move(asking);
  if (!answer) co_return HttpResponse::error(503, "shutting down");
  const auto left = answer->expires - clock.steady();
  const auto ttl = std::chrono::duration_cast<std::chrono::seconds>(left);
  json::object found{{"key", shown_key(key)},
                     {"dialect", name_of(*dialect)},
                     {"status", first_word(answer->reply)},
                     {"reply", answer->reply},
                     {"action", name_of(answer->action)},
                     {"ttl", std::max<std::int64_t>(0, ttl.count())}};
  if (answer->temporary()) found["reason"] = answer->reason;
  HttpResponse response;
  response.body = json::serialize(found);
  co_return response;
}

}  // namespace

std::string shown_key(std::string_view key) {
  const bool text = is_ascii(key) || std::holds_alternative<NextHop>(parse_next_hop(key));
  return text ? std::string(key) : escape(key);
}

void add_query_route(HttpServer& server, AnswerCache& cache, const Clock& clock) {
  HttpRoute route;
  route.method = "GET";
  route.pattern = "/v1/query";
  route.parameters = {"key", "dialect"};
  route.handler = [&cache, &clock](HttpRequest request) {
    return query(cache, clock, std::move(request));
  };
  server.add(std::move(route));
}

}  // namespace sealane

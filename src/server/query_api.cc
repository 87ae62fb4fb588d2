// SPDX-License-Identifier: Apache-2.0
#include "server/query_api.h"

#include <boost/json.hpp>
#include <utility>

#include "base/result.h"
#include "base/text.h"
#include "policy/next_hop.h"
#include "server/exim_reply.h"
#include "server/mta_reply.h"
#include "server/policy_json.h"

namespace sealane {
namespace json = boost::json;
using namespace std::string_literals;
namespace {

/// What is known of the message; the text says what is wrong with the parameters.
Result<RequestFlags> flags_of(const HttpRequest& request, Dialect dialect) {
  const std::string_view requiretls = request.parameter("requiretls");
  const std::string_view tls_required = request.parameter("tls-required");
  if (!requiretls.empty() && requiretls != "1") return tl::unexpected("requiretls is 1"s);
  if (!tls_required.empty() && tls_required != "no") return tl::unexpected("tls-required is no"s);
  const RequestFlags flags{!requiretls.empty(), !tls_required.empty()};
  const bool fits = flags == RequestFlags{} || dialect == Dialect::exim;
  if (!fits) return tl::unexpected("only Exim tells of a message: dialect=exim"s);
  return flags;
}

/// The octets that the MTA gets.
std::string sent(const Answer& answer, Dialect dialect, std::chrono::seconds left) {
  if (dialect != Dialect::exim) return answer.reply;
  return exim_line(answer.reply, answer.temporary(), left);
}

Task<HttpResponse> query(AnswerCache& cache, const Clock& clock, HttpRequest request) {
  if (!request.parameters.contains("key")) {
    co_return HttpResponse::error(400, "the parameter key is missing");
  }
  const bool has_dialect = request.parameters.contains("dialect");
  const std::string dialect_name(has_dialect ? request.parameter("dialect") : "postfix");
  const std::optional<Dialect> dialect = dialect_called(dialect_name);
  if (!dialect) {
    co_return HttpResponse::error(400, "unknown dialect; there are " + known_dialects());
  }
  const Result<RequestFlags> flags = flags_of(request, *dialect);
  if (!flags) co_return HttpResponse::error(400, flags.error());
  PolicyQuestion question;
  question.key = std::string(request.parameter("key"));
  question.dialect = *dialect;
  question.flags = *flags;
  question.whom = AskedFor::people;
  const std::string key = question.key;

  auto asking = cache.ask(std::move(question));
  const AnswerPtr answer = co_await std::move(asking);
  if (!answer) co_return HttpResponse::error(503, "shutting down");
  const std::chrono::seconds ttl = time_left(*answer, clock.steady());
  json::object found{{"key", shown_key(key)},
                     {"dialect", name_of(*dialect)},
                     {"status", reply_status(*dialect, answer->reply)},
                     {"reply", sent(*answer, *dialect, ttl)},
                     {"action", name_of(answer->action)},
                     {"ttl", ttl.count()}};
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
  route.parameters = {"key", "dialect", "requiretls", "tls-required"};
  route.handler = [&cache, &clock](HttpRequest request) {
    return query(cache, clock, std::move(request));
  };
  server.add(std::move(route));
}

}  // namespace sealane

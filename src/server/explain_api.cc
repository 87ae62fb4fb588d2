// SPDX-License-Identifier: Apache-2.0
#include "server/explain_api.h"

#include <boost/json.hpp>
#include <utility>
#include <variant>

#include "base/text.h"
#include "server/across.h"
#include "server/mta_reply.h"

namespace sealane {
using std::chrono::seconds;

namespace {

/// The destination under which this dialect's answer is kept; nothing if the key names none.
std::optional<NextHop> next_hop_of(const Explanation& explanation, Dialect dialect) {
  const ParsedKey key =
      dialect == Dialect::requiretls ? parse_requiretls_key(explanation.key) : explanation.parsed;
  if (const auto* next_hop = std::get_if<NextHop>(&key)) return *next_hop;
  return std::nullopt;
}

ExplainedAnswer decided(const Verdict& verdict, const Explanation& explanation) {
  const Dialect dialect = verdict.dialect;
  const std::optional<NextHop> next_hop = next_hop_of(explanation, dialect);
  const std::string text = next_hop ? next_hop->text() : explanation.key;
  ExplainedAnswer answer;
  answer.names = dialect_names(dialect);
  answer.verdict = verdict;
  answer.reply = mta_reply(verdict.decision, dialect, text);
  answer.ttl = verdict.decision.ttl;
  if (verdict.unobserved) {
    answer.unobserved = mta_reply(*verdict.unobserved, dialect, text);
  }
  if (verdict.without_policy) {
    answer.at_expiry = mta_reply(*verdict.without_policy, dialect, text);
  }
  return answer;
}

}  // namespace

ExplainApi::ExplainApi(boost::asio::any_io_executor lookup, Explain explain,
                       const AnswerCache& cache, const Clock& clock)
    : lookup_(std::move(lookup)), explain_(std::move(explain)), cache_(cache), clock_(clock) {}

Task<std::string> ExplainApi::explain(std::string key, std::optional<Dialect> only, bool live) {
  auto explaining = across(lookup_, explain_(std::move(key), live));
  const Explanation explanation = co_await std::move(explaining);
  const ExplainedLook known{&explanation.known, known_answers(explanation, only)};
  std::optional<ExplainedLook> again;
  if (explanation.live) {
    again = ExplainedLook{&*explanation.live, live_answers(explanation, only)};
  }
  const boost::json::object told = explanation_json(explanation, known, again, clock_.wall());
  co_return ascii_json(boost::json::serialize(told));
}

/// What is kept is what an MTA gets, whatever would be decided by now.
std::vector<ExplainedAnswer> ExplainApi::known_answers(const Explanation& explanation,
                                                       std::optional<Dialect> only) const {
  std::vector<ExplainedAnswer> answers;
  for (const Verdict& verdict : explanation.known.verdicts) {
    if (only && *only != verdict.dialect) continue;
    ExplainedAnswer answer = decided(verdict, explanation);
    const std::optional<NextHop> next_hop = next_hop_of(explanation, verdict.dialect);
    const AnswerPtr kept = next_hop ? cache_.kept(verdict.dialect, *next_hop) : nullptr;
    if (kept) {
      if (kept->reply != answer.reply) answer.decided = std::move(answer.reply);
      answer.reply = kept->reply;
      answer.kept = true;
      answer.ttl = std::chrono::duration_cast<seconds>(kept->expires - clock_.steady());
    }
    answers.push_back(std::move(answer));
  }
  return answers;
}

std::vector<ExplainedAnswer> ExplainApi::live_answers(const Explanation& explanation,
                                                      std::optional<Dialect> only) const {
  std::vector<ExplainedAnswer> answers;
  for (const Verdict& verdict : explanation.live->verdicts) {
    if (only && *only != verdict.dialect) continue;
    answers.push_back(decided(verdict, explanation));
  }
  return answers;
}

namespace {

Task<HttpResponse> respond(std::shared_ptr<ExplainApi> api, HttpRequest request) {
  std::optional<Dialect> only;
  if (request.parameters.contains("dialect")) {
    only = dialect_called(request.parameter("dialect"));
    if (!only) {
      co_return HttpResponse::error(400, "unknown dialect; there are " + known_dialects());
    }
  }
  const std::string_view live = request.parameter("live");
  const bool is_flag = live.empty() || live == "0" || live == "1";
  if (!is_flag) co_return HttpResponse::error(400, "live is 0 or 1");
  auto explaining = api->explain(request.names.front(), only, live == "1");
  HttpResponse response;
  response.body = co_await std::move(explaining);
  co_return response;
}

}  // namespace

HttpRoute explain_route(std::shared_ptr<ExplainApi> api) {
  HttpRoute route;
  route.method = "GET";
  route.pattern = "/v1/explain/*";
  route.parameters = {"dialect", "live"};
  route.handler = [api = std::move(api)](HttpRequest request) {
    return respond(api, std::move(request));
  };
  return route;
}

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
#include "server/export_api.h"

#include <algorithm>
#include <boost/json.hpp>
#include <utility>

#include "base/text.h"
#include "base/utc.h"
#include "lookup/waiting.h"
#include "policy/unicode_name.h"
#include "server/across.h"
#include "server/cache_api.h"
#include "server/cache_json.h"
#include "server/policy_json.h"
#include "server/postfix_reply.h"

namespace sealane {
namespace json = boost::json;
namespace {

/// A policy that no server can fulfil: Postfix holds the mail.  No name below .invalid exists
/// (RFC 6761 6.4).
constexpr std::string_view kHeld = "OK secure match=nobody.invalid servername=hostname";

constexpr std::string_view kOnlyDane = "OK dane-only";

struct Enforced {
  Domain domain;
  json::object told;
  json::array mx;     ///< empty: the policy cannot be read
  std::string alone;  ///< Postfix's answer if nothing but this were known; empty: no demand
};

struct Page {
  std::vector<Enforced> policies;
  std::string after;
  std::string problem;
  bool last = true;
};

json::array texts_of(const std::vector<MxPattern>& patterns) {
  json::array texts;
  for (const MxPattern& pattern : patterns) texts.push_back(json::string(pattern.text()));
  return texts;
}

std::string answer_of(const StsPolicy& policy, const Domain& domain) {
  Decision decision;
  decision.action = Action::sts;
  decision.patterns = policy.mx;
  std::string reply = postfix_reply(decision, Dialect::postfix, domain.text());
  return reply.starts_with("OK ") ? reply : std::string(kHeld);
}

/// Nothing if there is no policy, or one that demands nothing.  One that cannot be read may demand
/// something, and whether one is over is not the wall clock's to say alone (docs/decision.md).
std::optional<Enforced> enforced(const Domain& domain, const StsMemory& memory) {
  if (!memory.policy) return std::nullopt;
  const Result<StsPolicy> policy = parse_sts_policy(memory.policy->body);
  if (policy && policy->mode != StsMode::enforce) return std::nullopt;
  Enforced found{domain, {}, {}, std::string(kHeld)};
  found.told = {{"domain", domain.text()}, {"mode", mode_text(*memory.policy)}};
  if (const auto unicode = unicode_name(domain)) found.told["unicode"] = *unicode;
  found.told["id"] = escape(memory.policy->id);
  found.told["expires"] = utc_text(memory.policy->expires);
  if (!policy) return found;
  found.mx = texts_of(policy->mx);
  found.alone = answer_of(*policy, domain);
  found.told["max_age"] = policy->max_age.count();
  found.told["mx"] = found.mx;
  return found;
}

/// The operator's word counts also as long as nothing can be found out.
void obey(const Override& what, Enforced& found) {
  if (what.dane == DaneOverride::only) {
    found.alone = kOnlyDane;
  } else if (what.sts_off) {
    found.alone.clear();
  }
}

/// Lookup thread.
Task<Page> read_page(AdminPartsPtr parts, std::string after) {
  Page page;
  const auto rows = co_await parts->store.walk(after, kCachePage);
  if (!rows) {
    page.problem = escape(rows.error());
    co_return page;
  }
  for (const auto& [domain, memory] : *rows) {
    auto found = enforced(domain, memory);
    if (!found) continue;
    if (const auto rule = parts->overrides.find(domain)) obey(rule->override_, *found);
    page.policies.push_back(std::move(*found));
  }
  page.last = rows->size() < kCachePage;
  // What is only in memory would be missing.  All memory is looked at, so not for each page.
  const bool is_time = after.empty() || page.last;
  if (is_time && !parts->sts.is_all_stored()) {
    page.problem = "the store does not work: not all is on disk";
  }
  if (!rows->empty()) page.after = rows->back().first.text();
  co_return page;
}

std::string line_of(const Enforced& policy, const Answer& answer, const Clock& clock) {
  json::object told = policy.told;
  for (const auto& [name, value] : policy_json(answer, clock.steady())) {
    if (name != "mode") told[name] = value;
  }
  if (told.at("status") == "temporary" && !policy.alone.empty()) {
    // A file cannot say "wait", and no line would be a downgrade: what is stored is in force.
    const bool is_dane = policy.alone == kOnlyDane;
    told["level"] = is_dane ? "dane-only" : "secure";
    told["by"] = is_dane ? "override" : "mta-sts";
    if (!is_dane && !policy.mx.empty()) told["match"] = policy.mx;
    told["postfix"] = policy.alone;
  }
  return json::serialize(told) + "\n";
}

std::string error_line(std::string_view problem) {
  return json::serialize(json::object{{"error", problem}}) + "\n";
}

/// One answer.  Serving thread.
class ExportStream : public std::enable_shared_from_this<ExportStream> {
 public:
  explicit ExportStream(AdminPartsPtr parts) : parts_(std::move(parts)) {}

  Task<std::optional<std::string>> next() {
    const auto self = shared_from_this();
    std::string lines;
    while (!ended_ && lines.empty()) {
      auto reading = across(parts_->lookup, read_page(parts_, after_));
      page_ = co_await std::move(reading);
      after_ = page_.after;
      auto telling = tell_page();
      lines = co_await std::move(telling);
    }
    if (lines.empty()) co_return std::nullopt;
    co_return lines;
  }

 private:
  Task<std::string> tell_page() {
    ended_ = page_.last || !page_.problem.empty();
    if (!page_.problem.empty()) co_return error_line(page_.problem);
    answers_.assign(page_.policies.size(), nullptr);
    std::vector<Task<>> questions;
    for (std::size_t i = 0; i < answers_.size(); ++i) {
      questions.push_back(ask(shared_from_this(), i));
    }
    auto asking = run_all(std::move(questions));
    co_await std::move(asking);
    std::string lines;
    for (std::size_t i = 0; i < answers_.size(); ++i) {
      if (!answers_[i]) {
        ended_ = true;
        co_return lines + error_line("shutting down");
      }
      lines += line_of(page_.policies[i], *answers_[i], parts_->clock);
    }
    co_return lines;
  }

  static Task<> ask(std::shared_ptr<ExportStream> self, std::size_t at) {
    PolicyQuestion question;
    question.whom = AskedFor::people;
    question.key = self->page_.policies[at].domain.text();
    question.dialect = Dialect::postfix;
    auto asking = self->parts_->answers.ask(std::move(question));
    self->answers_[at] = co_await std::move(asking);
  }

  const AdminPartsPtr parts_;
  Page page_;
  std::vector<AnswerPtr> answers_;
  std::string after_;
  bool ended_ = false;
};

Task<HttpResponse> respond(AdminPartsPtr parts) {
  const auto stream = std::make_shared<ExportStream>(std::move(parts));
  HttpResponse response;
  response.pieces = [stream] { return stream->next(); };
  co_return response;
}

}  // namespace

void add_export_route(HttpServer& server, AdminPartsPtr parts) {
  HttpRoute route;
  route.method = "GET";
  route.pattern = "/v1/export";
  route.handler = [parts](HttpRequest) { return respond(parts); };
  server.add(std::move(route));
}

}  // namespace sealane

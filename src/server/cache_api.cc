// SPDX-License-Identifier: Apache-2.0
#include "server/cache_api.h"

#include <boost/json.hpp>
#include <map>
#include <utility>

#include "base/text.h"
#include "base/utc.h"
#include "lookup/freshness.h"
#include "server/across.h"
#include "server/cache_list.h"
#include "server/events_api.h"

namespace sealane {
namespace json = boost::json;
namespace {

using Handler = Task<HttpResponse> (*)(AdminPartsPtr, HttpRequest);

HttpResponse ok(const json::object& told) {
  HttpResponse response;
  response.body = json::serialize(told);
  return response;
}

std::string_view text_of(Refreshed outcome) {
  switch (outcome) {
    case Refreshed::not_due:
      return "nothing-to-fetch";
    case Refreshed::good:
      return "fetched";
    case Refreshed::failed:
      return "failed";
    case Refreshed::own_fault:
      return "own-fault";
  }
  return "?";
}

Task<HttpResponse> list(AdminPartsPtr parts, HttpRequest request) {
  Result<CacheFilter> filter = cache_filter_of(request);
  if (!filter) co_return HttpResponse::error(400, filter.error());
  const auto stream = std::make_shared<CacheStream>(std::move(parts), std::move(*filter));
  HttpResponse response;
  response.pieces = [stream] { return stream->next(); };
  co_return response;
}

// ---- one domain; on the lookup thread

Task<HttpResponse> find(AdminPartsPtr parts, Domain domain) {
  const auto memory = co_await parts->sts.operations().peek(domain);
  if (!memory) co_return HttpResponse::error(503, escape(memory.error()));
  const auto history = co_await parts->store.events(domain, kMaxEventsPerDomain, 0);
  if (!history) co_return HttpResponse::error(503, escape(history.error()));
  const std::optional<DaneMemory> dane = parts->dane_watch.known(domain);
  if (!*memory && !dane && history->empty()) {
    co_return HttpResponse::error(404, "nothing is known of " + domain.text());
  }
  json::object told = details_of(domain, memory->value_or(StsMemory{}), moment_of(*parts));
  if (dane) told["dane"] = json_of(*dane);
  json::array events;
  for (const StoredEvent& event : *history) events.push_back(json_of(event));
  told["history"] = std::move(events);
  co_return ok(told);
}

Task<HttpResponse> look(AdminPartsPtr parts, Domain domain) {
  const StsLook look = co_await parts->sts.operations().look_now(domain);
  json::object told{{"domain", domain.text()},
                    {"outcome", text_of(look.outcome)},
                    {"class", name_of(look.finding.value)},
                    {"reason", escape(look.finding.reason)}};
  if (look.finding.policy) told["mode"] = name_of(look.finding.policy->mode);
  if (look.finding.expires) told["expires"] = utc_text(*look.finding.expires);
  co_return ok(told);
}

Task<HttpResponse> forget(AdminPartsPtr parts, Domain domain) {
  const Result<StsPurged> purged = co_await parts->sts.operations().purge(domain);
  if (!purged) co_return HttpResponse::error(503, escape(purged.error()));
  const bool had_dane = parts->dane_watch.forget(domain);
  if (!purged->known && !had_dane) {
    co_return HttpResponse::error(404, "nothing is known of " + domain.text());
  }
  json::object told{{"domain", domain.text()}, {"purged", true}};
  std::string before;
  if (purged->mode) {
    told["mode"] = name_of(*purged->mode);
    before = fmt::format("mode {}", name_of(*purged->mode));
  }
  if (purged->expires) told["expires"] = utc_text(*purged->expires);
  parts->events.note(Event{parts->clock.wall(), domain, EventKind::policy_purged, Severity::notice,
                           "by the operator", std::move(before), ""});
  co_return ok(told);
}

// ---- the same, from the serving thread

Task<HttpResponse> show(AdminPartsPtr parts, HttpRequest request) {
  auto domain = domain_of(request.names.at(0));
  if (!domain) co_return std::move(domain.error());
  auto finding = across(parts->lookup, find(parts, *domain));
  co_return co_await std::move(finding);
}

Task<HttpResponse> refresh(AdminPartsPtr parts, HttpRequest request) {
  auto domain = domain_of(request.names.at(0));
  if (!domain) co_return std::move(domain.error());
  auto looking = across(parts->lookup, look(parts, *domain));
  HttpResponse response = co_await std::move(looking);
  parts->answers.clear();
  co_return response;
}

/// Answers that rest on what is forgotten go as well.
Task<HttpResponse> purge(AdminPartsPtr parts, HttpRequest request) {
  auto domain = domain_of(request.names.at(0));
  if (!domain) co_return std::move(domain.error());
  auto forgetting = across(parts->lookup, forget(parts, *domain));
  HttpResponse response = co_await std::move(forgetting);
  parts->answers.clear();
  co_return response;
}

// ---- all of it

struct Tally {
  std::map<std::string_view, std::uint64_t> modes;
  std::uint64_t domains = 0;
  std::uint64_t failing = 0;
  std::uint64_t expired = 0;
  std::uint64_t end_within_day = 0;
  std::uint64_t abandoned = 0;
  std::string after;
  std::string problem;
  bool ended = false;

  void take(const StsMemory& memory, std::chrono::sys_seconds now) {
    ++domains;
    if (memory.fetch_errors.count + memory.txt_errors.count > 0) ++failing;
    if (!memory.policy) return;
    ++modes[mode_text(*memory.policy)];
    if (is_abandoned(memory, now)) ++abandoned;
    const auto left = memory.policy->expires - now;
    if (left <= std::chrono::seconds{0}) {
      ++expired;
    } else if (left <= std::chrono::hours{24}) {
      ++end_within_day;
    }
  }
};

Task<Tally> count_page(AdminPartsPtr parts, Tally tally) {
  const auto rows = co_await parts->store.walk(tally.after, kCachePage);
  if (!rows) {
    tally.problem = rows.error();
    tally.ended = true;
    co_return tally;
  }
  for (const auto& [domain, memory] : *rows) tally.take(memory, parts->clock.wall());
  tally.ended = rows->size() < kCachePage;
  if (!rows->empty()) tally.after = rows->back().first.text();
  co_return tally;
}

/// The answer comes when all rows are read: a million take some ten seconds.
Task<HttpResponse> stats(AdminPartsPtr parts, [[maybe_unused]] HttpRequest request) {
  Tally tally;
  while (!tally.ended) {
    auto counting = across(parts->lookup, count_page(parts, std::move(tally)));
    tally = co_await std::move(counting);
  }
  if (!tally.problem.empty()) co_return HttpResponse::error(503, escape(tally.problem));
  json::object modes;
  for (const auto& [mode, count] : tally.modes) modes[mode] = count;
  json::object told{{"domains", tally.domains}, {"failing", tally.failing}};
  told["policies"] = std::move(modes);
  told["expired"] = tally.expired;
  told["ending_within_a_day"] = tally.end_within_day;
  told["not_asked_for_lately"] = tally.abandoned;
  co_return ok(told);
}

void add(HttpServer& server, const AdminPartsPtr& parts, std::string method, std::string pattern,
         Handler handler, std::vector<std::string> parameters = {}) {
  HttpRoute route;
  route.method = std::move(method);
  route.pattern = std::move(pattern);
  route.parameters = std::move(parameters);
  route.handler = [parts, handler](HttpRequest request) {
    return handler(parts, std::move(request));
  };
  server.add(std::move(route));
}

}  // namespace

Result<Domain, HttpResponse> domain_of(const std::string& name) {
  auto domain = Domain::parse_idn(name);
  if (domain) return std::move(*domain);
  return tl::unexpected(HttpResponse::error(400, escape(name) + ": " + domain.error()));
}

CacheMoment moment_of(const AdminParts& parts) {
  const auto running = parts.clock.steady() - parts.sts.started();
  return {parts.clock.wall(), std::chrono::duration_cast<std::chrono::seconds>(running)};
}

void add_cache_routes(HttpServer& server, AdminPartsPtr parts) {
  add(server, parts, "GET", "/v1/cache", list,
      {"mode", "min_age", "expires_in", "failing", "policy", "after", "limit"});
  add(server, parts, "GET", "/v1/cache/stats", stats);
  add(server, parts, "GET", "/v1/cache/*", show);
  add(server, parts, "DELETE", "/v1/cache/*", purge);
  add(server, parts, "POST", "/v1/cache/*/refresh", refresh);
}

}  // namespace sealane

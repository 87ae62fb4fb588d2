// SPDX-License-Identifier: Apache-2.0
#include "server/status_api.h"

#include <algorithm>
#include <boost/json.hpp>
#include <utility>

#include "base/text.h"
#include "base/utc.h"
#include "server/across.h"

namespace sealane {
namespace json = boost::json;
namespace {

/// Failing domains that are named.
constexpr std::size_t kNamedTroubles = 20;

json::object counters_of(const AnswerCache& cache) {
  const CacheCounters& c = cache.counters();
  return {{"entries", cache.entries()},   {"octets", cache.octets()},
          {"under_way", cache.flights()}, {"hits", c.hits},
          {"direct", c.direct},           {"lookups", c.lookups},
          {"joined", c.joined},           {"renewals", c.renewals},
          {"overloads", c.overloads},     {"temporary", c.temporary},
          {"evicted", c.evicted}};
}

json::object counters_of(const SocketmapServer& server) {
  const SocketmapCounters& c = server.counters();
  return {{"connections", server.connections()},
          {"accepted", c.accepted},
          {"refused", c.refused},
          {"requests", c.requests},
          {"unknown_maps", c.unknown_maps},
          {"junk", c.junk},
          {"idle", c.idle},
          {"accept_errors", server.accept_errors()}};
}

json::object resolver_of(const ResolverReport& report) {
  json::array upstreams;
  bool works = false;
  for (const ResolverReport::Upstream& upstream : report.upstreams) {
    works = works || upstream.passed;
    upstreams.push_back(json::object{
        {"address", upstream.address}, {"passed", upstream.passed}, {"text", upstream.text}});
  }
  json::object out{{"works", works}, {"upstreams", std::move(upstreams)}};
  for (const auto& [name, value] : report.counters) out[name] = value;
  return out;
}

json::object events_of(const EventCounters& counters) {
  json::object kinds;
  for (std::size_t i = 0; i < kEventKinds; ++i) {
    if (counters.kinds[i] > 0) {
      kinds[name_of(static_cast<EventKind>(i))] = counters.kinds[i];
    }
  }
  return {{"warnings", counters.warnings}, {"lost", counters.lost}, {"kinds", std::move(kinds)}};
}

json::object reports_of(const TlsrptCounters& counters) {
  return {{"sent", counters.sent},
          {"failed", counters.failed},
          {"unwanted", counters.unwanted},
          {"lost", counters.lost},
          {"problem",
           counters.problem.empty() ? json::value() : json::value(escape(counters.problem))}};
}

json::object trouble_of(const StsTrouble& trouble) {
  json::object out{
      {"domain", trouble.domain.text()},         {"what", trouble.txt ? "txt" : "fetch"},
      {"since", utc_text(trouble.streak.first)}, {"last", utc_text(trouble.streak.last)},
      {"failures", trouble.streak.count},        {"cause", escape(trouble.streak.text)}};
  if (trouble.expires) out["policy_expires"] = utc_text(*trouble.expires);
  return out;
}

json::object troubles_of(const std::vector<StsTrouble>& troubles) {
  json::array named;
  for (std::size_t i = 0; i < std::min(troubles.size(), kNamedTroubles); ++i) {
    named.push_back(trouble_of(troubles[i]));
  }
  const auto with_policy = std::count_if(troubles.begin(), troubles.end(),
                                         [](const StsTrouble& t) { return t.has_policy; });
  return {{"domains", troubles.size()}, {"with_policy", with_policy}, {"named", std::move(named)}};
}

/// What the lookup thread knows.
Task<json::object> look(AdminPartsPtr parts) {
  json::object out;
  out["resolver"] = resolver_of(parts->resolver());
  const Result<StoreStats> stats = co_await parts->store.stats();
  if (stats) {
    out["store"] = {{"works", true}, {"domains", stats->domains}, {"policies", stats->policies}};
  } else {
    out["store"] = {{"works", false}, {"problem", escape(stats.error())}};
  }
  const StsCounters& sts = parts->sts.counters();
  out["sts"] = {{"fetches", sts.fetches},
                {"fetch_failures", sts.fetch_failures},
                {"downgrades", sts.downgrades},
                {"not_durable", sts.not_durable},
                {"refreshes", sts.refreshes}};
  const RefresherCounters& refresher = parts->refresher.counters();
  out["refresher"] = {{"due_soon", parts->refresher.agenda()},
                      {"walks", refresher.walks},
                      {"good", refresher.good},
                      {"failed", refresher.failed},
                      {"forgotten", refresher.forgotten}};
  out["dane"] = {{"watched", parts->dane_watch.watched()}};
  out["events"] = events_of(parts->events.counters());
  if (parts->tlsrpt) out["tlsrpt"] = reports_of(parts->tlsrpt->counters());
  const auto overrides = parts->overrides.current();
  out["overrides"] = {{"rules", overrides->rules().size()},
                      {"expired", overrides->expired(parts->clock.wall()).size()}};
  out["failing"] = troubles_of(parts->sts.troubles().list(parts->clock.wall()));
  co_return out;
}

Task<HttpResponse> status(AdminPartsPtr parts, std::string up_since) {
  auto looking = across(parts->lookup, look(parts));
  json::object found = co_await std::move(looking);
  json::object told{{"version", SEALANE_VERSION},
                    {"up_since", up_since},
                    {"time", utc_text(parts->clock.wall())},
                    {"warnings", json::value_from(parts->warnings)}};
  told["cache"] = counters_of(parts->answers);
  told["socketmap"] = counters_of(parts->socketmap);
  for (auto& [name, value] : found) told[name] = std::move(value);
  HttpResponse response;
  response.body = json::serialize(told);
  co_return response;
}

}  // namespace

void add_status_route(HttpServer& server, AdminPartsPtr parts) {
  HttpRoute route;
  route.method = "GET";
  route.pattern = "/v1/status";
  const std::string up_since = utc_text(parts->clock.wall());
  route.handler = [parts, up_since](HttpRequest) { return status(parts, up_since); };
  server.add(std::move(route));
}

}  // namespace sealane

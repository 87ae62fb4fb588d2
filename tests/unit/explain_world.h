// SPDX-License-Identifier: Apache-2.0
// The way of an explanation, whole: fakes of the outside world, the finder, the cache, the JSON.
#pragma once

#include <boost/json.hpp>
#include <memory>
#include <string>
#include <string_view>

#include "base/log.h"
#include "fakes.h"
#include "lookup/policy_finder.h"
#include "policy/override_file.h"
#include "server/answer_cache.h"
#include "server/explain_api.h"
#include "server/mta_reply.h"

namespace sealane {

struct ExplainWorld {
  FakeResolver dns;
  FakeFetcher web;
  FakeStore store;
  FakeClock clock;
  DecisionSettings settings;
  boost::asio::io_context io{1};
  OverrideBook overrides{clock};
  std::unique_ptr<DaneLookup> dane;
  std::unique_ptr<StsLookup> sts;
  std::unique_ptr<PolicyFinder> finder;
  std::unique_ptr<AnswerCache> cache;
  std::unique_ptr<ExplainApi> api;

  ExplainWorld() {
    set_log_level(Severity::alarm);
    build();
  }
  ~ExplainWorld() {
    cache->close();
    settle();
  }
  ExplainWorld(const ExplainWorld&) = delete;
  ExplainWorld& operator=(const ExplainWorld&) = delete;

  /// Also a restart: memory goes, the store stays.
  void build() {
    dane = std::make_unique<DaneLookup>(dns, Families::any, clock);
    sts = std::make_unique<StsLookup>(io.get_executor(), dns, web, store, clock);
    finder = std::make_unique<PolicyFinder>(*dane, *sts, overrides, settings);
    cache = std::make_unique<AnswerCache>(
        io.get_executor(), io.get_executor(),
        [this](PolicyQuestion question) { return finder->find(std::move(question)); }, mta_reply,
        clock);
    api = std::make_unique<ExplainApi>(
        io.get_executor(),
        [this](std::string key, bool live) { return finder->explain(std::move(key), live); },
        *cache, clock);
  }
  void settle() {
    if (io.stopped()) io.restart();
    while (io.poll() > 0) {
    }
    if (io.stopped()) io.restart();
  }

  /// A host with signed addresses, and TLSA records if there are any.
  void host(const std::string& name, std::vector<TlsaRecord> tlsa = {}, bool secure = true) {
    dns.replies[name + " A"] = dns_address(secure, {"192.0.2.1"});
    dns.replies[name + " AAAA"] = dns_nodata(secure);
    if (!tlsa.empty()) dns.replies["_25._tcp." + name + " TLSA"] = dns_tlsa(true, std::move(tlsa));
  }
  void mx(const std::string& domain, bool secure, std::vector<MxRecord> records) {
    dns.replies[domain + " MX"] = dns_mx(secure, std::move(records));
  }
  void policy(const std::string& domain, std::string body) {
    dns.replies["_mta-sts." + domain + " TXT"] = dns_txt({"v=STSv1; id=20260921;"});
    web.policies[domain] = FetchedBody{std::move(body), "192.0.2.9"};
  }
  void override_by(std::string_view text) {
    auto rules = parse_overrides(text);
    REQUIRE(rules.has_value());
    overrides.replace(std::make_shared<Overrides>(*std::move(rules)));
  }

  std::string json(const std::string& key, bool live = false,
                   std::optional<Dialect> only = std::nullopt) {
    std::string text = run(api->explain(key, only, live), io);
    settle();
    return text;
  }
  boost::json::object explain(const std::string& key, bool live = false,
                              std::optional<Dialect> only = std::nullopt) {
    return boost::json::parse(json(key, live, only)).as_object();
  }
  std::string ask(const std::string& key, Dialect dialect = Dialect::postfix) {
    const AnswerPtr answer = run(cache->ask(PolicyQuestion{key, dialect, {}}), io);
    settle();
    REQUIRE(answer != nullptr);
    return answer->reply;
  }
};

/// No octet but printable ASCII and line ends: nothing a terminal might obey or turn round.
inline bool is_harmless(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return c == '\n' || (c >= ' ' && c <= '~'); });
}

}  // namespace sealane

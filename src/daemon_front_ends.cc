// SPDX-License-Identifier: Apache-2.0
#include "daemon_front_ends.h"

#include <utility>

#include "base/log.h"
#include "server/policy_api.h"

namespace sealane {
namespace {

/// Null when the file is wrong: each of its errors has been logged then.
AccessServer::Table read_table(const std::string& file) {
  Result<AccessTable, std::vector<std::string>> loaded = load_access_table(file);
  if (loaded) return std::make_shared<AccessTable>(*std::move(loaded));
  for (const std::string& problem : loaded.error()) {
    log(Severity::error, "access_table_wrong", {{"problem", problem}});
  }
  return nullptr;
}

}  // namespace

Result<void> FrontEnds::open(const Config& config) {
  observes_ = config.decision.observe;
  table_ = read_table(config.access_table);
  if (!table_) return failure("access.table = {}: errors, see above", config.access_table);
  auto exim = open_listeners(config.exim);
  if (!exim) return tl::unexpected(std::move(exim.error()));
  exim_listeners_ = std::move(*exim);
  auto access = open_listeners(config.access);
  if (!access) return tl::unexpected(std::move(access.error()));
  access_listeners_ = std::move(*access);
  auto http = open_listeners(config.http);
  if (!http) return tl::unexpected(std::move(http.error()));
  http_listeners_ = std::move(*http);
  http_rate_ = config.http_rate;
  return {};
}

void FrontEnds::build(boost::asio::any_io_executor serving, AnswerCache& cache,
                      const Clock& clock) {
  if (!exim_listeners_.empty()) exim_ = std::make_unique<EximServer>(serving, cache, clock);
  if (!access_listeners_.empty()) {
    access_ = std::make_unique<AccessServer>(serving, cache, table_, AccessLimits{}, observes_);
  }
  if (http_listeners_.empty()) return;
  http_ = std::make_unique<HttpServer>(serving, policy_limits(),
                                       std::make_unique<RateLimiter>(clock, http_rate_));
  http_->add(policy_route(cache, clock));
}

void FrontEnds::start() {
  if (exim_) exim_->start(std::move(exim_listeners_));
  if (access_) access_->start(std::move(access_listeners_));
  if (http_) http_->start(std::move(http_listeners_));
}

void FrontEnds::close() {
  if (exim_) exim_->close();
  if (access_) access_->close();
  if (http_) http_->close();
}

void FrontEnds::reload(const std::string& access_table) {
  AccessServer::Table fresh = read_table(access_table);
  if (!fresh) return;
  table_ = std::move(fresh);
  if (access_) access_->replace(table_);
}

void FrontEnds::report() const {
  if (exim_) {
    const EximCounters& served = exim_->counters();
    log(Severity::notice, "exim_stopped",
        {{"connections", std::to_string(served.accepted)},
         {"refused", std::to_string(served.refused)},
         {"requests", std::to_string(served.requests)},
         {"junk", std::to_string(served.junk)},
         {"late", std::to_string(served.late)}});
  }
  if (!access_) return;
  const AccessCounters& served = access_->counters();
  log(Severity::notice, "access_stopped",
      {{"connections", std::to_string(served.accepted)},
       {"refused", std::to_string(served.refused)},
       {"requests", std::to_string(served.requests)},
       {"asked", std::to_string(served.asked)},
       {"rejected", std::to_string(served.rejected)},
       {"deferred", std::to_string(served.deferred)},
       {"junk", std::to_string(served.junk)}});
}

}  // namespace sealane

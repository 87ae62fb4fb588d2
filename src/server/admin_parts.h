// SPDX-License-Identifier: Apache-2.0
// What the admin API tells of and acts on.  The daemon puts it together.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lookup/clock.h"
#include "lookup/dane_watch.h"
#include "lookup/event_log.h"
#include "lookup/override_book.h"
#include "lookup/policy_store.h"
#include "lookup/refresher.h"
#include "lookup/sts_lookup.h"
#include "lookup/tlsrpt_reporter.h"
#include "server/answer_cache.h"
#include "server/http_server.h"
#include "server/socketmap.h"

namespace sealane {

/// How the resolvers do; see the adapter for what is counted.
struct ResolverReport {
  struct Upstream {
    std::string address;
    bool passed = false;  ///< its last self-test
    std::string text;     ///< for people
  };
  std::vector<Upstream> upstreams;
  std::vector<std::pair<std::string, std::uint64_t>> counters;
};

/// All must outlive the server's executor.
struct AdminParts {
  // The serving thread's.
  AnswerCache& answers;
  const SocketmapServer& socketmap;
  const Clock& clock;
  std::vector<std::string> warnings;  ///< what is wrong with the set-up since the start
  // The lookup thread's.
  boost::asio::any_io_executor lookup;
  PolicyStore& store;
  StsLookup& sts;
  DaneWatch& dane_watch;
  const Refresher& refresher;
  EventLog& events;
  const OverrideBook& overrides;
  std::function<ResolverReport()> resolver;
  const TlsrptReporter* tlsrpt = nullptr;  ///< null: nothing is reported
};
using AdminPartsPtr = std::shared_ptr<const AdminParts>;

/// All routes of the admin API.  Serving thread, before the server starts.
void add_admin_routes(HttpServer& server, AdminPartsPtr parts);

}  // namespace sealane

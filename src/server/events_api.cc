// SPDX-License-Identifier: Apache-2.0
#include "server/events_api.h"

#include <boost/json.hpp>
#include <deque>
#include <limits>
#include <optional>
#include <utility>

#include "base/text.h"
#include "base/utc.h"
#include "server/across.h"

namespace sealane {
namespace json = boost::json;
namespace {

/// Events a page.
constexpr std::size_t kEventsPerPage = 500;

struct EventFilter {
  std::optional<Domain> domain;
  Severity least = Severity::debug;
  std::uint64_t after = 0;
  std::size_t last = 0;  ///< 0: all
  bool follow = false;

  bool takes(const StoredEvent& event) const { return event.event.severity >= least; }
};

/// The pieces of one answer.  Lives on the serving thread; its lookups are made on the other.
class EventStream : public std::enable_shared_from_this<EventStream> {
 public:
  EventStream(AdminPartsPtr parts, EventFilter filter)
      : parts_(std::move(parts)), filter_(std::move(filter)) {}

  Task<std::optional<std::string>> next() {
    const auto self = shared_from_this();
    if (ended_) co_return std::nullopt;
    std::string lines;
    for (bool more = true; more && lines.empty();) {
      auto reading = across(parts_->lookup, page(parts_, filter_));
      const Result<std::vector<StoredEvent>> events = co_await std::move(reading);
      if (!events) {
        ended_ = true;
        co_return json::serialize(json::object{{"error", escape(events.error())}}) + "\n";
      }
      more = events->size() == kEventsPerPage;
      lines = take(*events, more);
    }
    if (lines.empty() && !filter_.follow) co_return std::nullopt;
    co_return lines;
  }

 private:
  static Task<Result<std::vector<StoredEvent>>> page(AdminPartsPtr parts, EventFilter filter) {
    co_return co_await parts->store.events(filter.domain, kEventsPerPage, filter.after);
  }

  std::string take(const std::vector<StoredEvent>& events, bool more) {
    std::string lines;
    if (!events.empty()) filter_.after = events.back().id;
    for (const StoredEvent& event : events) {
      if (!filter_.takes(event)) continue;
      std::string line = json::serialize(json_of(event)) + "\n";
      if (filter_.last == 0) {
        lines += line;
        continue;
      }
      newest_.push_back(std::move(line));
      if (newest_.size() > filter_.last) newest_.pop_front();
    }
    if (filter_.last == 0 || more) return lines;
    // The end of what there is: from here on all of it counts.
    for (const std::string& line : newest_) lines += line;
    newest_.clear();
    filter_.last = 0;
    return lines;
  }

  AdminPartsPtr parts_;
  EventFilter filter_;
  std::deque<std::string> newest_;
  bool ended_ = false;
};

Result<EventFilter> filter_of(const HttpRequest& request) {
  EventFilter filter;
  if (const auto name = request.parameter("domain"); !name.empty()) {
    auto domain = Domain::parse_idn(name);
    if (!domain) return failure("domain: {}", domain.error());
    filter.domain = std::move(*domain);
  }
  if (const auto name = request.parameter("severity"); !name.empty()) {
    const auto severity = severity_named(name);
    if (!severity) return failure("severity: info, notice, warning, error or alarm");
    filter.least = *severity;
  }
  if (const auto text = request.parameter("after"); !text.empty()) {
    const auto after = parse_decimal(text, std::numeric_limits<std::int64_t>::max());
    if (!after) return failure("after: the id of an event");
    filter.after = *after;
  }
  if (const auto text = request.parameter("last"); !text.empty()) {
    const auto last = parse_decimal(text, kMaxLastEvents);
    if (!last) return failure("last: a number up to {}", kMaxLastEvents);
    filter.last = static_cast<std::size_t>(*last);
  }
  filter.follow = request.parameter("follow") == "1";
  return filter;
}

Task<HttpResponse> list_events(AdminPartsPtr parts, HttpRequest request) {
  Result<EventFilter> filter = filter_of(request);
  if (!filter) co_return HttpResponse::error(400, filter.error());
  const auto stream = std::make_shared<EventStream>(std::move(parts), std::move(*filter));
  HttpResponse response;
  response.pieces = [stream] { return stream->next(); };
  co_return response;
}

}  // namespace

json::object json_of(const StoredEvent& stored) {
  const Event& event = stored.event;
  return {{"id", stored.id},
          {"time", utc_text(event.time)},
          {"domain", event.domain.text()},
          {"kind", name_of(event.kind)},
          {"severity", name_of(event.severity)},
          {"text", event.text},
          {"old", event.old_value},
          {"new", event.new_value}};
}

void add_events_route(HttpServer& server, AdminPartsPtr parts) {
  HttpRoute route;
  route.method = "GET";
  route.pattern = "/v1/events";
  route.parameters = {"domain", "severity", "after", "last", "follow"};
  route.handler = [parts](HttpRequest request) { return list_events(parts, std::move(request)); };
  server.add(std::move(route));
}

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
#include "server/cache_list.h"

#include <boost/json.hpp>
#include <limits>
#include <utility>

#include "base/text.h"
#include "server/across.h"
#include "server/cache_api.h"

namespace sealane {
namespace json = boost::json;
namespace {

struct Page {
  std::string lines;
  std::string after;
  std::uint64_t taken = 0;
  bool last = true;
};

/// Lookup thread.
Task<Page> read_page(AdminPartsPtr parts, CacheFilter filter) {
  Page page;
  const auto rows = co_await parts->store.walk(filter.after, kCachePage);
  if (!rows) {
    page.lines = json::serialize(json::object{{"error", escape(rows.error())}}) + "\n";
    co_return page;
  }
  const CacheMoment moment = moment_of(*parts);
  for (const auto& [domain, memory] : *rows) {
    if (!filter.takes(memory, moment.now)) continue;
    page.lines += json::serialize(summary_of(domain, memory, moment, filter.with_policy)) + "\n";
    if (++page.taken == filter.limit) co_return page;
  }
  page.last = rows->size() < kCachePage;
  if (!rows->empty()) page.after = rows->back().first.text();
  co_return page;
}

Result<std::optional<std::chrono::seconds>> seconds_of(const HttpRequest& request,
                                                       std::string_view name) {
  if (!request.parameters.contains(name)) return std::nullopt;
  const auto seconds = parse_decimal(request.parameter(name), std::numeric_limits<int>::max());
  if (!seconds) return failure("{}: a number of seconds", name);
  return std::chrono::seconds(*seconds);
}

}  // namespace

bool CacheFilter::takes(const StsMemory& memory, std::chrono::sys_seconds now) const {
  if (failing && memory.fetch_errors.count == 0 && memory.txt_errors.count == 0) return false;
  const bool needs_policy = with_policy || !mode.empty() || min_age || expires_in;
  if (!needs_policy) return true;
  if (!memory.policy) return false;
  if (min_age && now - memory.policy->fetched < *min_age) return false;
  if (expires_in && memory.policy->expires - now > *expires_in) return false;
  return mode.empty() || mode_text(*memory.policy) == mode;
}

Result<CacheFilter> cache_filter_of(const HttpRequest& request) {
  CacheFilter filter;
  filter.mode = std::string(request.parameter("mode"));
  const bool known = filter.mode.empty() || filter.mode == "enforce" || filter.mode == "testing" ||
                     filter.mode == "none" || filter.mode == "unreadable";
  if (!known) return failure("mode: enforce, testing, none or unreadable");
  auto min_age = seconds_of(request, "min_age");
  if (!min_age) return tl::unexpected(min_age.error());
  filter.min_age = *min_age;
  auto expires_in = seconds_of(request, "expires_in");
  if (!expires_in) return tl::unexpected(expires_in.error());
  filter.expires_in = *expires_in;
  filter.failing = request.parameter("failing") == "1";
  filter.with_policy = request.parameter("policy") == "1";
  if (const auto after = request.parameter("after"); !after.empty()) {
    const auto domain = Domain::parse_idn(after);
    if (!domain) return failure("after: {}", domain.error());
    filter.after = domain->text();
  }
  if (request.parameters.contains("limit")) {
    const auto limit =
        parse_decimal(request.parameter("limit"), std::numeric_limits<std::uint32_t>::max());
    if (!limit || *limit == 0) return failure("limit: a number of lines");
    filter.limit = *limit;
  }
  return filter;
}

Task<std::optional<std::string>> CacheStream::next() {
  const auto self = shared_from_this();
  std::string lines;
  while (!ended_ && lines.empty()) {
    auto reading = across(parts_->lookup, read_page(parts_, filter_));
    Page page = co_await std::move(reading);
    lines = std::move(page.lines);
    filter_.after = std::move(page.after);
    ended_ = page.last;
    if (filter_.limit > 0) filter_.limit -= page.taken;
  }
  if (lines.empty()) co_return std::nullopt;
  co_return lines;
}

}  // namespace sealane

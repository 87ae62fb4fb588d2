// SPDX-License-Identifier: Apache-2.0
#include "server/cache_json.h"

#include <algorithm>
#include <boost/json.hpp>

#include "base/text.h"
#include "base/utc.h"
#include "lookup/refresh_plan.h"

namespace sealane {
namespace json = boost::json;
namespace {

/// Stored text as JSON can hold it.
std::string utf8(const std::string& text) {
  return find_bad_utf8(text) == std::string::npos ? text : escape(text, text.size());
}

json::object json_of(const ErrorStreak& streak) {
  return {{"failures", streak.count},
          {"since", utc_text(streak.first)},
          {"last", utc_text(streak.last)},
          {"cause", escape(streak.text)}};
}

void add_policy_details(json::object& out, const StoredPolicy& stored) {
  out["policy"] = utf8(stored.body);
  const Result<StsPolicy> policy = parse_sts_policy(stored.body);
  if (!policy) {
    out["unreadable"] = escape(policy.error());
    return;
  }
  out["max_age"] = policy->max_age.count();
  json::array hosts;
  for (const MxPattern& pattern : policy->mx) hosts.push_back(json::string(pattern.text()));
  out["mx"] = std::move(hosts);
}

}  // namespace

std::string_view mode_text(const StoredPolicy& stored) {
  const Result<StsPolicy> policy = parse_sts_policy(stored.body);
  return policy ? name_of(policy->mode) : "unreadable";
}

json::object summary_of(const Domain& domain, const StsMemory& memory, const CacheMoment& moment,
                        bool with_policy) {
  json::object out{{"domain", domain.text()}};
  if (memory.policy) {
    out["mode"] = mode_text(*memory.policy);
    out["id"] = utf8(memory.policy->id);
    out["fetched"] = utc_text(memory.policy->fetched);
    out["expires"] = utc_text(memory.policy->expires);
  }
  const RefreshPlan plan = plan_of(domain, memory, moment.now, moment.running);
  if (plan.need == RefreshNeed::fetch) {
    out["refresh"] = utc_text(moment.now + std::max(plan.wait, std::chrono::seconds{0}));
  }
  if (memory.asked) out["asked"] = utc_text(*memory.asked);
  out["failures"] = memory.fetch_errors.count + memory.txt_errors.count;
  const bool fetch_fails = memory.fetch_errors.count > 0;
  const std::string& problem = fetch_fails ? memory.fetch_errors.text : memory.txt_errors.text;
  if (!problem.empty()) out["problem"] = escape(problem);
  if (with_policy && memory.policy) out["policy"] = utf8(memory.policy->body);
  return out;
}

json::object details_of(const Domain& domain, const StsMemory& memory, const CacheMoment& moment) {
  json::object out = summary_of(domain, memory, moment, false);
  if (memory.policy) add_policy_details(out, *memory.policy);
  if (!memory.txt_id.empty()) out["txt_id"] = utf8(memory.txt_id);
  if (memory.none_since) out["none_since"] = utc_text(*memory.none_since);
  if (memory.txt_errors.count > 0) out["txt_errors"] = json_of(memory.txt_errors);
  if (memory.fetch_errors.count > 0) out["fetch_errors"] = json_of(memory.fetch_errors);
  if (!memory.failed_id.empty()) out["failed_id"] = utf8(memory.failed_id);
  return out;
}

json::object json_of(const DaneMemory& memory) {
  return {{"class", name_of(memory.value)},
          {"tlsa", utf8(memory.tlsa)},
          {"seen", utc_text(memory.seen)}};
}

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
#include "daemon_admin.h"

namespace sealane {

ResolverReport report_of(const ResolverStatus& status) {
  ResolverReport report;
  for (const UpstreamReport& upstream : status.upstreams) {
    report.upstreams.push_back({to_text(upstream.server), upstream.passed, upstream.text});
  }
  report.counters = {{"in_flight", status.in_flight},
                     {"waiting", status.waiting},
                     {"cache_entries", status.cache_entries},
                     {"questions", status.questions},
                     {"cache_hits", status.cache_hits},
                     {"joined", status.joined},
                     {"failures", status.failures},
                     {"own_faults", status.own_faults},
                     {"queries", status.queries},
                     {"unanswered", status.unanswered}};
  return report;
}

}  // namespace sealane

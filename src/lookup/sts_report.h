// SPDX-License-Identifier: Apache-2.0
// Tells people what happens to MTA-STS policies: the log, the history, the counters; and the
// domain, by TLSRPT.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/log.h"
#include "lookup/clock.h"
#include "lookup/event.h"
#include "lookup/policy_fetcher.h"
#include "lookup/sts_slots.h"
#include "lookup/tlsrpt_reporter.h"

namespace sealane {

struct StsCounters {
  std::uint64_t fetches = 0;
  std::uint64_t fetch_failures = 0;
  std::uint64_t taken_over = 0;   ///< policies that another node had fetched
  std::uint64_t downgrades = 0;   ///< a policy became weaker or vanished
  std::uint64_t not_durable = 0;  ///< answers that could not wait for the store
  std::uint64_t refreshes = 0;    ///< fetches nobody waited for
};

/// RFC 8460 4.3.2.2, for a fetch that brought nothing to read.
TlsrptFailure tlsrpt_failure(FetchProblem problem);

/// What a failed fetch says of a domain.
struct FetchVerdict {
  TlsrptFailure type = TlsrptFailure::fetch_error;
  std::string cause;
  bool theirs = true;  ///< false: it may as well be ours, and the domain is told nothing
};

/// Lives on the lookup thread.
class StsReport {
 public:
  StsReport(const Clock& clock, EventSink* events, TlsrptReporter* tlsrpt)
      : clock_(clock), events_(events), tlsrpt_(tlsrpt) {}

  void txt(StsSlot& slot, const TxtChange& change);
  /// `old_id`: of the policy that was replaced.
  void fetched(const StsSlot& slot, const StsChange& change, const std::string& old_id);
  void failed(const StsSlot& slot, const StsFailure& failure, const FetchVerdict& verdict);
  void own_fault(const StsSlot& slot, const std::string& cause);
  void not_durable(const StsSlot& slot, const std::string& cause);
  /// Nobody has asked for long, and the policy is over.
  void forgotten(const Domain& domain);

  StsCounters counters;

 private:
  void tell_domain(const StsSlot& slot, const FetchVerdict& verdict);
  void vanished(StsSlot& slot);
  void still_failing(const StsSlot& slot, const StsFailure& failure, const std::string& cause);
  void tell(const StsSlot& slot, EventKind kind, Severity severity, std::string text,
            std::string old_value = {}, std::string new_value = {});

  const Clock& clock_;
  EventSink* events_;       ///< may be null
  TlsrptReporter* tlsrpt_;  ///< may be null
};

}  // namespace sealane

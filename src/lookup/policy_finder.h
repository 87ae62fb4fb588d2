// SPDX-License-Identifier: Apache-2.0
// From a key to a decision: asks DANE and MTA-STS side by side and calls decide().
// The daemon, `explain` and the tests all come through here.
#pragma once

#include <memory>
#include <string>

#include "base/task.h"
#include "lookup/dane_lookup.h"
#include "lookup/dane_watch.h"
#include "lookup/explanation.h"
#include "lookup/override_book.h"
#include "lookup/sts_lookup.h"
#include "policy/decision.h"

namespace sealane {

struct PolicyQuestion {
  std::string key;  ///< as the MTA sent it
  Dialect dialect = Dialect::postfix;
  RequestFlags flags;
  AskedFor whom = AskedFor::mail;
};

/// Lives on the lookup thread.
class PolicyFinder {
 public:
  /// The parts must outlive the finder and every question under way.
  /// `watch`, which may be null, hears what DANE said; `tlsrpt`, which may be null, how mail was
  /// answered.
  PolicyFinder(DaneLookup& dane, StsLookup& sts, OverrideBook& overrides, DecisionSettings settings,
               DaneWatch* watch = nullptr, TlsrptReporter* tlsrpt = nullptr);
  ~PolicyFinder();

  /// Answers within the dialect's budget (30 s; Exim 18 s; Sendmail 4 s): what is not known by
  /// then is temporary, and the work goes on for the next asker.  Never throws for anything that
  /// comes from the network.  What an override fixes, or lets only be observed, and what
  /// the sender waives, is answered without waiting for a lookup.
  Task<Decision> find(PolicyQuestion question);

  /// What all dialects are told about a key, and why, by the same lookups and rules.  Waits, within
  /// Postfix's budget, for all that can be found out.  `live`: beside it the same from new lookups,
  /// of which nothing is remembered.
  Task<Explanation> explain(std::string key, bool live);

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace sealane

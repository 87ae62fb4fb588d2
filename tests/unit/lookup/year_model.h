// SPDX-License-Identifier: Apache-2.0
// What must hold, said independently of StsEntry and Refresher: of each fetch, when it may happen;
// of each answer, what it must be.  The model knows what the sites publish and which fetches were
// made; it shares no rule, no constant and no state with the code under test.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "lookup/year_world.h"
#include "policy/sts_finding.h"

namespace sealane::year {

/// A policy as it was fetched.
struct Known {
  seconds at{0};
  seconds ends{0};
  seconds life{0};
  StsMode mode = StsMode::none;
  int version = 0;
};

/// What the model remembers of one site.
struct History {
  std::optional<Known> policy;
  std::optional<seconds> last_fetch;
  bool last_good = false;
  bool last_own = false;    ///< it failed because of us
  bool had_policy = false;  ///< at the last failure
  unsigned failures = 0;    ///< in a row
  seconds last_failure{0};
  std::string id_then;       ///< the id that was served before the last fetch
  std::string id_now;        ///< the id served last
  bool dns_is_ours = false;  ///< the last question to the resolver failed because of us
  bool by_id = false;        ///< the last fetch came with another id: one more after ten minutes
  std::optional<seconds> asked;
  seconds asked_without_gap_since{0};  ///< no gap of 29 days since
  unsigned after_abandon = 0;          ///< fetches later than 31 days after the last question
  std::map<long, unsigned> per_day;    ///< fetches
};

struct Us {
  seconds running_since{0};
  seconds network_since{0};  ///< our network has worked since
  bool network = true;
};

class Model {
 public:
  /// The resolver handed out this record (empty: none), or could not ask because of us.
  void served(const Site& site, const std::string& id, bool own_failure);
  /// A fetch begins; `good`: the site delivers.
  void fetched(const Site& site, seconds now, const Us& us);
  /// A question has been answered.
  void answered(const Site& site, seconds now, const Us& us, const StsFinding& found);
  /// The daemon has restarted: what is not in the store is forgotten.
  void restarted();

  const History& of(const Site& site) { return history_[site.domain.text()]; }
  unsigned long checks = 0;

 private:
  void judge_gap(const Site& site, const History& past, seconds now);
  void judge_policy(const Site& site, const History& past, seconds now, const StsFinding& found);
  void judge_age(const Site& site, const History& past, seconds now, const Us& us,
                 const StsFinding& found);

  std::map<std::string, History> history_;
};

}  // namespace sealane::year

// SPDX-License-Identifier: Apache-2.0
// An Internet of mail domains with MTA-STS, as it is published: ids rotate, modes change, records
// and servers fail.  What the domains serve depends on the random seed alone.
#pragma once

#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "fakes.h"
#include "policy/sts_policy.h"

namespace sealane::year {

using std::chrono::seconds;

inline constexpr seconds kMinute{60};
inline constexpr seconds kHour{3600};
inline constexpr seconds kDay{86400};

enum class Habit {
  busy,  ///< asked for each hour
  daily,
  weekly,
  abandoned  ///< asked for each day at first, then never again
};

/// What a domain publishes now, and since when.
struct Site {
  explicit Site(Domain name) : domain(std::move(name)) {}

  Domain domain;
  int version = 1;  ///< of the policy's text
  int id = 1;       ///< of the TXT record
  StsMode mode = StsMode::enforce;
  seconds max_age{0};
  bool txt_present = true;
  bool txt_fails = false;
  bool host_up = true;
  bool leaving = false;  ///< has published "none", and will be gone
  bool gone = false;
  seconds ttl{0};  ///< of the TXT record

  seconds id_since{0};      ///< the record as it is now
  seconds policy_since{0};  ///< the policy as it is now
  seconds up_since{0};      ///< the host has answered since

  Habit habit = Habit::daily;
  seconds last_day{0};  ///< with abandoned: no question after it

  bool fetchable() const { return host_up && !gone; }
  bool has_record() const { return txt_present && !gone; }
  std::string id_text() const { return "i" + std::to_string(id); }
  std::string body() const;
};

/// The sites and their fate.
class Sites {
 public:
  Sites(std::size_t count, std::uint32_t seed);

  /// Does what the sites do up to `now`.
  void live(seconds now);

  std::vector<Site>& all() { return sites_; }
  Site* find(const std::string& name);
  /// When the site is asked for next; seconds::max() = never again.
  seconds next_question(const Site& site, seconds now);
  seconds between(seconds least, seconds most);

 private:
  void act(Site& site, int action, seconds now);
  void plan(Site& site, seconds now);
  void later(const Site& site, seconds when, int action);

  std::mt19937 random_;
  std::vector<Site> sites_;
  std::map<std::string, std::size_t> by_name_;
  std::multimap<seconds, std::pair<std::string, int>> fate_;
};

}  // namespace sealane::year

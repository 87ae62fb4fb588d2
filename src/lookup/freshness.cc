// SPDX-License-Identifier: Apache-2.0
#include "lookup/freshness.h"

#include <algorithm>
#include <iterator>

namespace sealane {

using std::chrono::seconds;

namespace {
constexpr std::int64_t kSpreads = 1000;
}

std::int64_t spread_of(std::string_view domain) {
  std::uint64_t hash = 14695981039346656037U;  // FNV-1a
  for (const char c : domain) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
  return static_cast<std::int64_t>((hash ^ (hash >> 32)) % kSpreads);
}

seconds backoff(std::uint32_t failures, seconds most) {
  constexpr std::uint32_t kMaxDoublings = 10;
  const std::uint32_t doublings = std::min(failures > 0 ? failures - 1 : 0, kMaxDoublings);
  return std::min(seconds(kFirstBackoff) * (1 << doublings), most);
}

seconds txt_retry_pause(std::uint32_t failures) {
  constexpr seconds kPauses[] = {seconds{30}, seconds{60}, seconds{120}, seconds{300}};
  constexpr std::uint32_t kLast = std::size(kPauses) - 1;
  return kPauses[std::min(failures > 0 ? failures - 1 : 0, kLast)];
}

seconds refresh_age(seconds life, std::int64_t spread) {
  if (life < kShortLife) return life / 2;
  const seconds day = kRefreshAfter;
  const std::int64_t step = 2 * spread - kSpreads;
  return day + day * kRefreshJitter * step / (kSpreads * kSpreads);
}

seconds until_refresh(const PolicyAge& age, std::int64_t spread) {
  const seconds life = age.since_fetch + age.until_expiry;
  const seconds wait = refresh_age(life, spread) - age.since_fetch;
  const bool overdue_at_start = wait + age.since_start < seconds{0};
  if (!overdue_at_start) return wait;
  // Never so late that half of what was left at the start has gone.
  const seconds left_at_start = age.until_expiry + age.since_start;
  const seconds window = left_at_start > seconds{0}
                             ? std::min<seconds>(kStartSpread, left_at_start / 2)
                             : seconds(kStartSpread);
  return std::max(wait, window * spread / kSpreads - age.since_start);
}

bool is_abandoned(const StsMemory& memory, std::chrono::sys_seconds now) {
  return !memory.asked || now - *memory.asked > kAbandonedAfter;
}

}  // namespace sealane

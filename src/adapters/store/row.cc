// SPDX-License-Identifier: Apache-2.0
#include "adapters/store/row.h"

#include <limits>

#include "adapters/store/sqlite_database.h"
#include "base/text.h"
#include "policy/sts_policy.h"

namespace sealane {
namespace {

using std::chrono::sys_seconds;

/// 9999-12-31T23:59:59Z: a time beyond is not one that a clock ever showed.
constexpr std::int64_t kLastSecond = 253402300799;

enum Column {
  kDomain,
  kPolicyId,
  kPolicyBody,
  kPolicyFetched,
  kPolicyExpires,
  kTxtId,
  kNoneSince,
  kTxtError,  // four columns: first, count, last, text
  kFetchError = kTxtError + 4,
  kFailedId = kFetchError + 4,
  kAsked
};

void bind_time(Statement& statement, const std::optional<sys_seconds>& time) {
  time ? statement.bind(*time) : statement.bind_null();
}

void bind_streak(Statement& statement, const ErrorStreak& streak) {
  statement.bind(streak.first).bind(std::int64_t{streak.count}).bind(streak.last).bind(streak.text);
}

Result<void> check_text(std::string_view what, const std::string& text, std::size_t limit) {
  if (text.size() > limit) return failure("{} has {} octets", what, text.size());
  return {};
}

Result<void> check_time(std::string_view what, sys_seconds time) {
  const std::int64_t seconds = time.time_since_epoch().count();
  if (seconds < 0 || seconds > kLastSecond) return failure("{} is {}", what, seconds);
  return {};
}

Result<void> check_streak(std::string_view what, const ErrorStreak& streak) {
  if (auto good = check_time(what, streak.first); !good) return good;
  if (auto good = check_time(what, streak.last); !good) return good;
  return check_text(what, streak.text, kMaxStoredText);
}

Result<void> check_policy(const StoredPolicy& policy) {
  if (auto good = check_text("policy_id", policy.id, kMaxStoredText); !good) return good;
  if (auto good = check_text("policy_body", policy.body, kMaxPolicyBody); !good) return good;
  if (auto good = check_time("policy_fetched", policy.fetched); !good) return good;
  return check_time("policy_expires", policy.expires);
}

sys_seconds time_at(const Statement& statement, int column) {
  return sys_seconds(std::chrono::seconds(statement.number(column)));
}

std::optional<sys_seconds> maybe_time_at(const Statement& statement, int column) {
  if (statement.is_null(column)) return std::nullopt;
  return time_at(statement, column);
}

Result<ErrorStreak> streak_at(const Statement& statement, int column, std::string_view what) {
  const std::int64_t count = statement.number(column + 1);
  if (count < 0 || count > std::numeric_limits<std::uint32_t>::max()) {
    return failure("{}_count is {}", what, count);
  }
  return ErrorStreak{time_at(statement, column), static_cast<std::uint32_t>(count),
                     time_at(statement, column + 2), statement.text(column + 3)};
}

Result<std::optional<StoredPolicy>> policy_at(const Statement& statement) {
  int nulls = 0;
  for (int column = kPolicyId; column <= kPolicyExpires; ++column) {
    nulls += statement.is_null(column) ? 1 : 0;
  }
  if (nulls == 4) return std::optional<StoredPolicy>();
  if (nulls != 0) return failure("a part of the policy is missing");
  return StoredPolicy{statement.text(kPolicyId), statement.text(kPolicyBody),
                      time_at(statement, kPolicyFetched), time_at(statement, kPolicyExpires)};
}

Result<StsMemory> read_memory(const Statement& statement) {
  StsMemory memory;
  auto policy = policy_at(statement);
  if (!policy) return tl::unexpected(policy.error());
  auto txt_errors = streak_at(statement, kTxtError, "txt_error");
  if (!txt_errors) return tl::unexpected(txt_errors.error());
  auto fetch_errors = streak_at(statement, kFetchError, "fetch_error");
  if (!fetch_errors) return tl::unexpected(fetch_errors.error());
  memory.policy = std::move(*policy);
  memory.txt_id = statement.text(kTxtId);
  memory.none_since = maybe_time_at(statement, kNoneSince);
  memory.txt_errors = std::move(*txt_errors);
  memory.fetch_errors = std::move(*fetch_errors);
  memory.failed_id = statement.text(kFailedId);
  memory.asked = maybe_time_at(statement, kAsked);
  if (auto good = check_storable(memory); !good) return tl::unexpected(good.error());
  return memory;
}

}  // namespace

Result<void> check_storable(const StsMemory& memory) {
  if (memory.policy) {
    if (auto good = check_policy(*memory.policy); !good) return good;
  }
  if (auto good = check_text("txt_id", memory.txt_id, kMaxStoredText); !good) return good;
  if (auto good = check_text("failed_id", memory.failed_id, kMaxStoredText); !good) return good;
  if (auto good = check_streak("txt_error", memory.txt_errors); !good) return good;
  if (auto good = check_streak("fetch_error", memory.fetch_errors); !good) return good;
  if (auto good = check_time("none_since", memory.none_since.value_or(sys_seconds())); !good) {
    return good;
  }
  return check_time("asked", memory.asked.value_or(sys_seconds()));
}

void bind_row(Statement& statement, const Domain& domain, const StsMemory& memory) {
  statement.bind(domain.text());
  if (memory.policy) {
    const StoredPolicy& policy = *memory.policy;
    statement.bind(policy.id).bind(policy.body).bind(policy.fetched).bind(policy.expires);
  } else {
    statement.bind_null().bind_null().bind_null().bind_null();
  }
  statement.bind(memory.txt_id);
  bind_time(statement, memory.none_since);
  bind_streak(statement, memory.txt_errors);
  bind_streak(statement, memory.fetch_errors);
  statement.bind(memory.failed_id);
  bind_time(statement, memory.asked);
}

Result<std::pair<Domain, StsMemory>> read_row(const Statement& statement) {
  const std::string name = statement.text(kDomain);
  auto domain = Domain::parse(name);
  if (!domain || domain->text() != name) {
    return failure("row \"{}\": that is not a domain name", escape(name));
  }
  auto memory = read_memory(statement);
  if (!memory) return failure("row \"{}\": {}", name, memory.error());
  return std::pair(std::move(*domain), std::move(*memory));
}

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
#include "adapters/store/resolver_cache.h"

#include <sqlite3.h>

#include <boost/json.hpp>
#include <filesystem>
#include <memory>
#include <optional>

#include "adapters/store/sqlite_statement.h"
#include "base/text.h"

namespace sealane {
namespace json = boost::json;
namespace {

/// How long to wait for its owner, who writes a row at a time.
constexpr int kBusyMilliseconds = 5'000;
/// Rows that are reported as unusable at most.
constexpr std::size_t kMaxSkipped = 1'000;

std::optional<std::string> field(const json::object& fields, std::string_view name) {
  const json::value* value = fields.if_contains(name);
  if (value == nullptr) return std::nullopt;
  if (value->is_string()) return std::string(value->as_string());
  return value->is_int64() ? std::optional(std::to_string(value->as_int64())) : std::nullopt;
}

}  // namespace

Result<StsImport> parse_resolver_row(std::string_view name, std::int64_t checked,
                                     std::string_view id, std::string_view text) {
  const auto domain = Domain::parse_idn(name);
  if (!domain) return failure("{}: {}", escape(name), domain.error());
  boost::system::error_code wrong;
  const json::value parsed = json::parse(text, wrong);
  if (wrong || !parsed.is_object()) return failure("{}: no JSON object", domain->text());
  const json::object& fields = parsed.as_object();
  std::string body;
  for (const char* key : {"version", "mode", "max_age"}) {
    const auto value = field(fields, key);
    if (!value) return failure("{}: {} is missing", domain->text(), key);
    body += fmt::format("{}: {}\n", key, *value);
  }
  const json::value* hosts = fields.if_contains("mx");
  if (hosts != nullptr && hosts->is_array()) {
    for (const json::value& host : hosts->as_array()) {
      if (!host.is_string()) return failure("{}: an mx is no text", domain->text());
      body += fmt::format("mx: {}\n", std::string_view(host.as_string()));
    }
  }
  const auto policy = parse_sts_policy(body);
  if (!policy) return failure("{}: {}", domain->text(), policy.error());
  if (checked <= 0) return failure("{}: no time", domain->text());
  const std::chrono::sys_seconds at{std::chrono::seconds(checked)};
  // Its time is that of the last look at the id: the body may be older than one of ours.
  return StsImport{*domain, {std::string(id), std::move(body), at, at + policy->max_age}, {}, true};
}

Result<std::vector<std::string>> read_resolver_cache(
    const std::string& path, const std::function<bool(const StsImport&)>& take) {
  sqlite3* raw = nullptr;
  // Absolute, so that no name means anything but a file to SQLite.
  std::error_code error;
  const auto absolute = std::filesystem::absolute(path, error);
  if (error) return failure("{}: {}", escape(path), error.message());
  const int opened = sqlite3_open_v2(absolute.c_str(), &raw, SQLITE_OPEN_READONLY, nullptr);
  const std::unique_ptr<sqlite3, int (*)(sqlite3*)> connection(raw, sqlite3_close);
  const auto failed = [&] { return failure("{}: {}", escape(path), sqlite3_errmsg(raw)); };
  if (opened != SQLITE_OK) return failed();
  sqlite3_busy_timeout(raw, kBusyMilliseconds);
  Statement rows(raw, "SELECT domain, ts, pol_id, pol_body FROM sts_policy_cache ORDER BY domain");
  if (!rows.ok()) return failed();
  std::vector<std::string> skipped;
  for (;;) {
    const Statement::Outcome outcome = rows.step();
    if (outcome == Statement::Outcome::failed) return failed();
    if (outcome == Statement::Outcome::done) return skipped;
    const auto found = parse_resolver_row(rows.text(0), rows.number(1), rows.text(2), rows.text(3));
    if (found && !take(*found)) return skipped;
    if (!found && skipped.size() < kMaxSkipped) skipped.push_back(found.error());
  }
}

}  // namespace sealane

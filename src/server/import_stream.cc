// SPDX-License-Identifier: Apache-2.0
#include "server/import_stream.h"

#include <algorithm>
#include <boost/json.hpp>
#include <utility>

#include "base/text.h"
#include "base/utc.h"
#include "server/across.h"
#include "server/import_api.h"

namespace sealane {
namespace json = boost::json;
namespace {

/// Lines reported on at a time: the client sees that it goes on.
constexpr std::size_t kLinesPerPiece = 50;
/// Octets of an id (RFC 8461 3.1).
constexpr std::size_t kMaxId = 32;

std::string_view reason_of(Imported outcome) {
  switch (outcome) {
    case Imported::taken:
      return "";
    case Imported::not_newer:
      return "what is known was fetched later, or is the same";
    case Imported::weaker:
      return "what is known protects more";
    case Imported::shorter:
      return "what is known lasts longer";
    case Imported::known:
      return "a policy is known already";
    case Imported::expired:
      return "it is over";
    case Imported::from_future:
      return "it was fetched later than now";
    case Imported::invalid:
      return "its policy is none";
    case Imported::busy:
      return "a lookup of the domain is under way; repeat it later";
    case Imported::not_stored:
      return "it could not be stored";
  }
  return "";
}

std::optional<std::string> text_of(const json::object& line, std::string_view name) {
  const json::value* value = line.if_contains(name);
  if (value == nullptr || !value->is_string()) return std::nullopt;
  return std::string(value->as_string());
}

Result<std::chrono::sys_seconds> time_of(const json::object& line, std::string_view name) {
  const auto time = parse_utc(text_of(line, name).value_or(""));
  if (!time) return failure("{} is not a time as 2026-01-31T12:00:00Z", name);
  return *time;
}

bool is_id(std::string_view text) {
  return text.size() <= kMaxId &&
         std::all_of(text.begin(), text.end(), [](char c) { return is_alpha(c) || is_digit(c); });
}

std::string report(std::size_t number, const std::string& domain, std::string_view result,
                   std::string_view reason) {
  json::object told{{"line", number}, {"result", result}};
  if (!domain.empty()) told["domain"] = domain;
  if (!reason.empty()) told["reason"] = reason;
  return json::serialize(told) + "\n";
}

/// Lookup thread.
Task<Imported> take_in(AdminPartsPtr parts, StsImport what) {
  const Domain domain = what.domain;
  const Imported outcome = co_await parts->sts.operations().import(std::move(what));
  if (outcome != Imported::taken) co_return outcome;
  parts->events.note(Event{parts->clock.wall(), domain, EventKind::policy_imported, Severity::info,
                           "by the operator", "", ""});
  co_return outcome;
}

}  // namespace

Result<StsImport> parse_import(std::string_view text) {
  if (text.size() > kMaxImportLine) return failure("more than {} octets", kMaxImportLine);
  boost::system::error_code wrong;
  const json::value parsed = json::parse(text, wrong);
  if (wrong || !parsed.is_object()) return failure("no JSON object");
  const json::object& line = parsed.as_object();
  const auto name = text_of(line, "domain");
  if (!name) return failure("domain is missing");
  auto domain = Domain::parse_idn(*name);
  if (!domain) return failure("domain: {}", domain.error());
  auto body = text_of(line, "policy");
  if (!body || body->size() > kMaxPolicyBody) return failure("policy is missing or too long");
  const auto policy = parse_sts_policy(*body);
  if (!policy) return failure("policy: {}", policy.error());
  const auto fetched = time_of(line, "fetched");
  if (!fetched) return tl::unexpected(fetched.error());
  const auto expires = time_of(line, "expires");
  if (!expires) return tl::unexpected(expires.error());
  std::string id = text_of(line, "id").value_or("");
  if (!is_id(id)) return failure("id: 1-32 letters and digits, or nothing");

  StsImport found{std::move(*domain), {std::move(id), std::move(*body), *fetched, *expires}, {}};
  if (line.contains("asked")) {
    const auto asked = time_of(line, "asked");
    if (!asked) return tl::unexpected(asked.error());
    found.asked = *asked;
  }
  if (const json::value* only_new = line.if_contains("only_new")) {
    if (!only_new->is_bool()) return failure("only_new: true or false");
    found.only_new = only_new->as_bool();
  }
  return found;
}

/// The next line that is not blank.
std::optional<std::string_view> ImportStream::next_line() {
  while (at_ < lines_.size()) {
    const std::size_t end = std::min(lines_.find('\n', at_), lines_.size());
    const std::string_view line = std::string_view(lines_).substr(at_, end - at_);
    at_ = end + 1;
    ++number_;
    if (!trim(line, " \t\r").empty()) return line;
  }
  return std::nullopt;
}

Task<std::optional<std::string>> ImportStream::next() {
  const auto self = shared_from_this();
  std::string reports;
  for (std::size_t i = 0; i < kLinesPerPiece; ++i) {
    const auto line = next_line();
    if (!line) break;
    Result<StsImport> what = parse_import(*line);
    if (!what) {
      reports += report(number_, "", "invalid", escape(what.error()));
      continue;
    }
    const std::string name = what->domain.text();
    auto taking = across(parts_->lookup, take_in(parts_, std::move(*what)));
    const Imported outcome = co_await std::move(taking);
    // What could not be stored may be in force all the same.
    taken_ = taken_ || outcome == Imported::taken || outcome == Imported::not_stored;
    reports += report(number_, name, name_of(outcome), reason_of(outcome));
    if (outcome == Imported::busy) break;  // that took its time: the client hears of it now
  }
  if (!reports.empty()) co_return reports;
  if (std::exchange(taken_, false)) parts_->answers.clear();
  co_return std::nullopt;
}

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
// `sealane cache list`: one line a domain, as they come, in columns of a fixed width.
#include <fmt/format.h>

#include <boost/json.hpp>
#include <chrono>
#include <optional>
#include <string_view>

#include "base/utc.h"
#include "cli/ask.h"
#include "cli/cache_verbs.h"
#include "cli/json_fields.h"
#include "cli/terminal.h"
#include "cli/verb_options.h"

namespace sealane {
namespace json = boost::json;
namespace {

/// Octets of a cause that fit on a line.
constexpr std::size_t kShownProblem = 100;

struct ListOptions {
  std::optional<std::string> mode;
  std::optional<std::string> older_than;
  std::optional<std::string> expires_in;
  std::optional<std::string> after;
  std::optional<std::string> limit;
  bool failing = false;
};

Result<std::string> target_of(const ListOptions& options) {
  std::string target = "/v1/cache";
  char mark = '?';
  const auto add = [&](std::string_view name, const std::string& value) {
    target += fmt::format("{}{}={}", std::exchange(mark, '&'), name, percent_encoded(value));
  };
  if (options.mode) add("mode", *options.mode);
  for (const auto& [name, given, parameter] :
       {std::tuple("--older-than", &options.older_than, "min_age"),
        std::tuple("--expires-in", &options.expires_in, "expires_in")}) {
    if (!*given) continue;
    const auto span = parse_span(**given);
    if (!span) return failure("{}: a span of time as 30m, 12h or 7d is wanted", name);
    add(parameter, std::to_string(span->count()));
  }
  if (options.failing) add("failing", "1");
  if (options.after) add("after", *options.after);
  if (options.limit) add("limit", *options.limit);
  return target;
}

class Table {
 public:
  explicit Table(Console& console) : out_(console.out), paint_(console.in_colour) {}

  void head() {
    out_ << paint_(Tone::strong,
                   fmt::format("{:<8} {:<9} {:<9} {:<9} {:<9} {:>6}  {}", "MODE", "AGE", "ENDS IN",
                               "RENEWAL", "ASKED", "FAILED", "DOMAIN"))
         << '\n';
  }

  void row(const json::object& line) {
    const std::string_view mode = text_at(line, "mode");
    const std::int64_t failures = number_at(line, "failures");
    const std::string failed = fmt::format("{:>6}", failures);
    out_ << paint_(tone_of(mode), fmt::format("{:<8}", mode.empty() ? "-" : for_terminal(mode)))
         << fmt::format(" {:<9} {:<9} {:<9} {:<9} ", ago(line, "fetched"), until(line, "expires"),
                        until(line, "refresh"), ago(line, "asked"))
         << (failures > 0 ? paint_(Tone::bad, failed) : failed) << "  "
         << for_terminal(text_at(line, "domain"));
    const std::string_view problem = text_at(line, "problem");
    if (!problem.empty()) out_ << "  " << for_terminal(problem, kShownProblem);
    out_ << '\n';
  }

 private:
  static Tone tone_of(std::string_view mode) {
    if (mode == "enforce") return Tone::good;
    return mode == "unreadable" ? Tone::bad : Tone::plain;
  }
  std::string ago(const json::object& line, std::string_view name) const {
    const auto time = parse_utc(text_at(line, name));
    return time ? span_text(now_ - *time) : "-";
  }
  std::string until(const json::object& line, std::string_view name) const {
    const auto time = parse_utc(text_at(line, name));
    if (!time) return "-";
    return *time <= now_ ? "now" : span_text(*time - now_);
  }

  std::ostream& out_;
  const Paint paint_;
  const std::chrono::sys_seconds now_ =
      std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
};

}  // namespace

int cache_list(VerbWords args, Console& console) {
  VerbOptions options;
  ListOptions wanted;
  options.flag("failing", wanted.failing).text("mode", wanted.mode);
  options.text("older-than", wanted.older_than).text("expires-in", wanted.expires_in);
  options.text("after", wanted.after).text("limit", wanted.limit);
  const auto ended =
      options.read(args, 0, 0, {"cache list", kCacheUsage}, console.out, console.err);
  if (ended) return *ended;
  const auto target = target_of(wanted);
  if (!target) return wrong_usage(console.err, "cache list", target.error(), kCacheUsage);
  AdminRequest request;
  request.target = *target;
  Table table(console);
  bool any = false;
  const int status = ask_lines(options.admin, request, console.err,
                               [&](const json::object& line, std::string_view text) {
                                 if (options.as_json) {
                                   console.out << text << '\n';
                                 } else {
                                   if (!any) table.head();
                                   table.row(line);
                                 }
                                 any = true;
                                 return console.out.good();
                               });
  if (status == kFine && !any && !options.as_json) console.err << "sealane: no such domain\n";
  return status == kFine && !any ? kNegative : status;
}

}  // namespace sealane

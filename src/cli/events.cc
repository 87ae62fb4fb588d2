// SPDX-License-Identifier: Apache-2.0
#include "cli/events.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <optional>
#include <string_view>

#include "cli/ask.h"
#include "cli/json_fields.h"
#include "cli/verb_options.h"

namespace sealane {
namespace json = boost::json;
namespace {

constexpr std::string_view kUsage =
    "Usage: sealane events [DOMAIN] [--follow] [--last N] [--severity NAME] [--admin unix:PATH]"
    " [--json]\n";
/// Events shown without --last.
constexpr std::string_view kUsualLast = "100";

Tone tone_of(std::string_view severity) {
  if (severity == "warning") return Tone::care;
  if (severity == "error" || severity == "alarm") return Tone::bad;
  return Tone::plain;
}

}  // namespace

std::string event_line(const json::object& event, const Paint& paint) {
  const std::string_view severity = text_at(event, "severity");
  std::string line =
      fmt::format("{:<20}  {}  {:<28}  {}", for_terminal(text_at(event, "time")),
                  paint(tone_of(severity), fmt::format("{:<7}", for_terminal(severity))),
                  for_terminal(text_at(event, "domain")), for_terminal(text_at(event, "kind")));
  const std::string_view before = text_at(event, "old");
  const std::string_view now = text_at(event, "new");
  if (!text_at(event, "text").empty()) line += ": " + for_terminal(text_at(event, "text"));
  if (!before.empty()) line += fmt::format("; before: {}", for_terminal(before));
  if (!now.empty()) line += fmt::format("; now: {}", for_terminal(now));
  return line;
}

int events_command(std::span<const std::string> args, Console& console) {
  VerbOptions options;
  bool follow = false;
  std::optional<std::string> last;
  std::optional<std::string> severity;
  options.flag("follow", follow).text("last", last).text("severity", severity);
  const auto ended = options.read(args, 0, 1, {"events", kUsage}, console.out, console.err);
  if (ended) return *ended;
  AdminRequest request;
  request.target =
      fmt::format("/v1/events?last={}", percent_encoded(last.value_or(std::string(kUsualLast))));
  if (severity) request.target += "&severity=" + percent_encoded(*severity);
  if (!options.operands.empty()) {
    request.target += "&domain=" + percent_encoded(options.operands.front());
  }
  if (follow) {
    request.target += "&follow=1";
    request.patience = kForEver;
  }
  const Paint paint(console.in_colour);
  return ask_lines(options.admin, request, console.err,
                   [&](const json::object& event, std::string_view line) {
                     if (options.as_json) {
                       console.out << line << '\n';
                     } else {
                       console.out << event_line(event, paint) << '\n';
                     }
                     console.out.flush();
                     return console.out.good();
                   });
}

}  // namespace sealane

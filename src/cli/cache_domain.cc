// SPDX-License-Identifier: Apache-2.0
// `sealane cache show|refresh|purge DOMAIN` and `cache stats`.
#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <string_view>

#include "base/text.h"
#include "base/utc.h"
#include "cli/ask.h"
#include "cli/cache_verbs.h"
#include "cli/events.h"
#include "cli/json_fields.h"
#include "cli/terminal.h"
#include "cli/verb_options.h"

namespace sealane {
namespace json = boost::json;
namespace {

std::chrono::sys_seconds now() {
  return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

/// "2026-01-31T12:00:00Z (in 6 d 23 h)".
std::string time_text(std::string_view text) {
  const auto time = parse_utc(text);
  if (!time) return for_terminal(text);
  const auto away = *time - now();
  const bool ahead = away > std::chrono::seconds{0};
  return fmt::format("{} ({}{}{})", text, ahead ? "in " : "", span_text(ahead ? away : -away),
                     ahead ? "" : " ago");
}

class Sheet {
 public:
  Sheet(std::ostream& out, bool in_colour) : out_(out), paint_(in_colour) {}

  void line(std::string_view name, std::string_view text) {
    if (!text.empty()) out_ << paint_(Tone::strong, fmt::format("{:<12}", name)) << text << '\n';
  }
  void text(const json::object& told, std::string_view member, std::string_view name) {
    line(name, for_terminal(text_at(told, member)));
  }
  void time(const json::object& told, std::string_view member, std::string_view name) {
    if (!text_at(told, member).empty()) line(name, time_text(text_at(told, member)));
  }
  void streak(const json::object& told, std::string_view member, std::string_view name) {
    const json::object& errors = object_at(told, member);
    if (errors.empty()) return;
    line(name, paint_(Tone::bad,
                      fmt::format("{} times since {}, last {}: {}", number_at(errors, "failures"),
                                  for_terminal(text_at(errors, "since")),
                                  time_text(text_at(errors, "last")),
                                  for_terminal(text_at(errors, "cause")))));
  }
  void policy(std::string_view body) {
    if (body.empty()) return;
    out_ << paint_(Tone::strong, "policy") << '\n';
    for (const std::string_view text : split(body, '\n')) {
      const std::string_view trimmed = trim(text, "\r");
      if (!trimmed.empty()) out_ << "  " << for_terminal(trimmed) << '\n';
    }
  }
  void history(const json::array& events) {
    if (events.empty()) return;
    out_ << paint_(Tone::strong, "history") << '\n';
    for (const json::value& event : events) {
      if (event.is_object()) out_ << "  " << event_line(event.as_object(), paint_) << '\n';
    }
  }

 private:
  std::ostream& out_;
  const Paint paint_;
};

void print(const json::object& told, Console& console) {
  Sheet sheet(console.out, console.in_colour);
  sheet.text(told, "domain", "domain");
  sheet.line("mode", told.contains("mode") ? for_terminal(text_at(told, "mode"))
                                           : "no policy is remembered");
  sheet.text(told, "unreadable", "unreadable");
  sheet.text(told, "id", "id");
  sheet.time(told, "fetched", "fetched");
  sheet.time(told, "expires", "ends");
  sheet.time(told, "refresh", "renewal");
  sheet.time(told, "asked", "asked for");
  sheet.text(told, "txt_id", "TXT id");
  sheet.time(told, "none_since", "no TXT since");
  sheet.streak(told, "txt_errors", "TXT fails");
  sheet.streak(told, "fetch_errors", "fetch fails");
  const json::object& dane = object_at(told, "dane");
  if (!dane.empty()) {
    sheet.line("DANE", fmt::format("{}, seen {}: {}", for_terminal(text_at(dane, "class")),
                                   for_terminal(text_at(dane, "seen")),
                                   for_terminal(text_at(dane, "tlsa"))));
  }
  sheet.policy(text_at(told, "policy"));
  sheet.history(array_at(told, "history"));
}

AdminRequest about(const std::string& domain, std::string method, std::string_view suffix = "") {
  AdminRequest request;
  request.method = std::move(method);
  request.target = fmt::format("/v1/cache/{}{}", percent_encoded(domain), suffix);
  request.patience = kAdminLookPatience;
  return request;
}

/// What is given up, told before it is.
void warn_of(const json::object& told, Console& console) {
  const std::string domain = for_terminal(text_at(told, "domain"));
  const std::string_view mode = text_at(told, "mode");
  if (mode.empty()) {
    console.err << fmt::format("{}: no policy is remembered; its failures and DANE are forgotten\n",
                               domain);
    return;
  }
  console.err << fmt::format("{}: a policy with mode {} until {}\n", domain, for_terminal(mode),
                             time_text(text_at(told, "expires")));
  if (mode != "enforce") return;
  console.err << "Without it, mail to this domain is protected only if the next lookup of its TXT\n"
                 "record and policy succeeds: who can suppress one of them can read the mail.\n";
}

bool agreed(Console& console) {
  console.err << "Forget it? [y/N] " << std::flush;
  std::string answer;
  std::getline(console.in, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

}  // namespace

int cache_show(VerbWords args, Console& console) {
  VerbOptions options;
  const auto ended =
      options.read(args, 1, 1, {"cache show", kCacheUsage}, console.out, console.err);
  if (ended) return *ended;
  const auto told = ask_object(options.admin, about(options.operands.front(), "GET"), console.err);
  if (!told) return told.error();
  if (options.as_json) {
    console.out << ascii_json(json::serialize(*told)) << '\n';
  } else {
    print(*told, console);
  }
  return kFine;
}

int cache_refresh(VerbWords args, Console& console) {
  VerbOptions options;
  const auto ended =
      options.read(args, 1, 1, {"cache refresh", kCacheUsage}, console.out, console.err);
  if (ended) return *ended;
  const auto told =
      ask_object(options.admin, about(options.operands.front(), "POST", "/refresh"), console.err);
  if (!told) return told.error();
  const std::string_view outcome = text_at(*told, "outcome");
  if (options.as_json) {
    console.out << ascii_json(json::serialize(*told)) << '\n';
  } else {
    console.out << fmt::format("{}: {}: {}\n", for_terminal(text_at(*told, "domain")),
                               for_terminal(outcome), for_terminal(text_at(*told, "reason")));
  }
  if (outcome == "failed") return kNegative;
  return outcome == "own-fault" ? kTemporary : kFine;
}

int cache_purge(VerbWords args, Console& console) {
  VerbOptions options;
  bool force = false;
  const auto ended = options.flag("force", force)
                         .read(args, 1, 1, {"cache purge", kCacheUsage}, console.out, console.err);
  if (ended) return *ended;
  const std::string& domain = options.operands.front();
  if (!force && !console.in_is_terminal) {
    return wrong_usage(console.err, "cache purge", "without a terminal it takes --force",
                       kCacheUsage);
  }
  if (!options.as_json) {
    const auto told = ask_object(options.admin, about(domain, "GET"), console.err);
    if (!told) return told.error();
    warn_of(*told, console);
  }
  if (!force && !agreed(console)) return kNegative;
  const auto purged = ask_object(options.admin, about(domain, "DELETE"), console.err);
  if (!purged) return purged.error();
  if (options.as_json) {
    console.out << ascii_json(json::serialize(*purged)) << '\n';
  } else {
    console.out << for_terminal(text_at(*purged, "domain")) << ": forgotten\n";
  }
  return kFine;
}

int cache_stats(VerbWords args, Console& console) {
  VerbOptions options;
  const auto ended =
      options.read(args, 0, 0, {"cache stats", kCacheUsage}, console.out, console.err);
  if (ended) return *ended;
  AdminRequest request;
  request.target = "/v1/cache/stats";
  request.patience = kAdminLookPatience;
  const auto told = ask_object(options.admin, request, console.err);
  if (!told) return told.error();
  if (options.as_json) {
    console.out << ascii_json(json::serialize(*told)) << '\n';
    return kFine;
  }
  const auto line = [&](std::string_view name, std::int64_t count) {
    console.out << fmt::format("{:<24} {:>10}\n", name, count);
  };
  line("domains", number_at(*told, "domains"));
  for (const auto& [mode, count] : object_at(*told, "policies")) {
    line("policies, mode " + for_terminal(mode), count.is_int64() ? count.as_int64() : 0);
  }
  line("failing", number_at(*told, "failing"));
  line("over", number_at(*told, "expired"));
  line("ending within a day", number_at(*told, "ending_within_a_day"));
  line("not asked for lately", number_at(*told, "not_asked_for_lately"));
  return kFine;
}

}  // namespace sealane

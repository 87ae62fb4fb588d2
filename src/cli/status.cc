// SPDX-License-Identifier: Apache-2.0
#include "cli/status.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <string_view>
#include <thread>

#include "base/text.h"
#include "base/utc.h"
#include "cli/ask.h"
#include "cli/json_fields.h"
#include "cli/terminal.h"
#include "cli/verb_options.h"

namespace sealane {
namespace json = boost::json;
namespace {

constexpr std::string_view kUsage =
    "Usage: sealane status [--watch] [--admin unix:PATH] [--json]\n";
/// Home, and clear all (ECMA-48 8.3.21, 8.3.39).
constexpr std::string_view kClearScreen = "\x1b[H\x1b[2J";

class Screen {
 public:
  Screen(const json::object& status, Console& console)
      : status_(status), out_(console.out), paint_(console.in_colour) {}

  void print() {
    head();
    resolver();
    store();
    answers();
    policies();
    reports();
    overrides();
    warnings();
    failing();
  }

 private:
  void line(std::string_view name, std::string_view text) {
    out_ << paint_(Tone::strong, fmt::format("{:<11}", name)) << text << '\n';
  }
  const json::object& part(std::string_view name) const { return object_at(status_, name); }
  static std::int64_t count(const json::object& object, std::string_view name) {
    return number_at(object, name);
  }
  std::string state(bool works) const {
    return works ? paint_(Tone::good, "works") : paint_(Tone::bad, "DOES NOT WORK");
  }

  void head() {
    const auto since = parse_utc(text_at(status_, "up_since"));
    const auto now = parse_utc(text_at(status_, "time"));
    std::string text = fmt::format("{}", for_terminal(text_at(status_, "version")));
    if (since && now) text += ", up " + span_text(*now - *since);
    line("sealaned", text + fmt::format(" (since {})", for_terminal(text_at(status_, "up_since"))));
  }

  void resolver() {
    const json::object& told = part("resolver");
    line("resolver", fmt::format("{}: {} questions, {} failed, {} our own fault, {} of {} packets "
                                 "unanswered",
                                 state(is_true(told, "works")), count(told, "questions"),
                                 count(told, "failures"), count(told, "own_faults"),
                                 count(told, "unanswered"), count(told, "queries")));
    for (const json::value& upstream : array_at(told, "upstreams")) {
      if (!upstream.is_object()) continue;
      const bool passed = is_true(upstream.as_object(), "passed");
      line("", paint_(passed ? Tone::plain : Tone::bad,
                      for_terminal(text_at(upstream.as_object(), "text"))));
    }
  }

  void store() {
    const json::object& told = part("store");
    if (is_true(told, "works")) {
      line("store", fmt::format("{}: {} domains, {} policies", state(true), count(told, "domains"),
                                count(told, "policies")));
    } else {
      line("store", state(false) + ": " + for_terminal(text_at(told, "problem")));
    }
  }

  void answers() {
    const json::object& told = part("cache");
    const json::object& socketmap = part("socketmap");
    line("questions",
         fmt::format("{} over {} connections now open; {} junk", count(socketmap, "requests"),
                     count(socketmap, "connections"), count(socketmap, "junk")));
    line("answers", fmt::format("{} ready; {} at once, {} looked up ({} under way), {} temporary",
                                count(told, "entries"), count(told, "hits"), count(told, "lookups"),
                                count(told, "under_way"), count(told, "temporary")));
  }

  void policies() {
    const json::object& sts = part("sts");
    const json::object& refresher = part("refresher");
    line("policies",
         fmt::format("{} fetches, {} failed; renewed {}, {} due within the hour; {} downgrades",
                     count(sts, "fetches"), count(sts, "fetch_failures"), count(refresher, "good"),
                     count(refresher, "due_soon"), count(sts, "downgrades")));
    line("dane", fmt::format("{} domains watched", count(part("dane"), "watched")));
    const json::object& events = part("events");
    const bool any = count(events, "warnings") > 0;
    line("events", paint_(any ? Tone::care : Tone::plain,
                          fmt::format("{} warnings since the start", count(events, "warnings"))));
  }

  void reports() {
    if (!status_.contains("tlsrpt")) return;
    const json::object& told = part("tlsrpt");
    const std::int64_t dropped = count(told, "failed") + count(told, "lost");
    line("reports", fmt::format("{} sent, {} not wanted, {} dropped", count(told, "sent"),
                                count(told, "unwanted"), dropped));
  }

  void overrides() {
    const json::object& told = part("overrides");
    if (count(told, "rules") == 0) return;
    line("overrides",
         fmt::format("{} rules, {} of them over", count(told, "rules"), count(told, "expired")));
  }

  void warnings() {
    for (const json::value& warning : array_at(status_, "warnings")) {
      if (!warning.is_string()) continue;
      line("warning", paint_(Tone::bad, for_terminal(std::string_view(warning.as_string()))));
    }
  }

  void failing() {
    const json::object& told = part("failing");
    const std::int64_t domains = count(told, "domains");
    if (domains == 0) return line("failing", "nothing");
    line("failing", paint_(Tone::bad, fmt::format("{} domains, {} of them with a policy", domains,
                                                  count(told, "with_policy"))));
    for (const json::value& trouble : array_at(told, "named")) {
      if (trouble.is_object()) one(trouble.as_object());
    }
  }

  void one(const json::object& trouble) {
    std::string text = fmt::format(
        "{}: {} {} times since {}: {}", for_terminal(text_at(trouble, "domain")),
        text_at(trouble, "what") == "txt" ? "TXT" : "fetch", count(trouble, "failures"),
        for_terminal(text_at(trouble, "since")), for_terminal(text_at(trouble, "cause"), 120));
    const std::string_view expires = text_at(trouble, "policy_expires");
    if (!expires.empty()) text += fmt::format("; its policy ends {}", for_terminal(expires));
    line("", text);
  }

  const json::object& status_;
  std::ostream& out_;
  const Paint paint_;
};

bool is_well(const json::object& status) {
  return is_true(object_at(status, "resolver"), "works") &&
         is_true(object_at(status, "store"), "works") && array_at(status, "warnings").empty() &&
         number_at(object_at(status, "failing"), "with_policy") == 0;
}

}  // namespace

int status_command(std::span<const std::string> args, Console& console) {
  VerbOptions options;
  bool watch = false;
  const auto ended =
      options.flag("watch", watch).read(args, 0, 0, {"status", kUsage}, console.out, console.err);
  if (ended) return *ended;
  AdminRequest request;
  request.target = "/v1/status";
  for (;;) {
    const auto answer = ask_object(options.admin, request, console.err);
    if (!answer) return answer.error();
    if (watch && console.out_is_terminal) console.out << kClearScreen;
    if (options.as_json) {
      console.out << ascii_json(json::serialize(*answer)) << '\n';
    } else {
      Screen(*answer, console).print();
    }
    console.out.flush();
    if (!watch || !console.out) return is_well(*answer) ? kFine : kNegative;
    std::this_thread::sleep_for(kWatchEvery);
  }
}

}  // namespace sealane

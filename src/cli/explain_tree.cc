// SPDX-License-Identifier: Apache-2.0
#include "cli/explain_tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.h"
#include "cli/json_fields.h"
#include "server/mta_reply.h"

namespace sealane {
namespace json = boost::json;
using std::chrono::seconds;

namespace {

constexpr std::size_t kStep = 2;    ///< columns a level
constexpr std::size_t kLabel = 12;  ///< columns of a label

/// Printable ASCII, whatever comes: other octets as \xNN.
std::string told(std::string_view text, std::size_t limit = kMaxShownText) {
  const bool cut = text.size() > limit;
  std::string out = escape_again(text.substr(0, limit), limit);
  if (cut) out += fmt::format("... ({} octets in all)", text.size());
  return out;
}

/// "NOTFOUND " ends in a blank that nobody can see.
std::string reply_text(const json::object& object, std::string_view name) {
  std::string_view text = text_at(object, name);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return told(text);
}

/// "52 s left"; below 0: "ran out 5 s ago".
std::string left_text(std::int64_t count) {
  return count < 0 ? fmt::format("ran out {} ago", span_text(seconds{-count}))
                   : fmt::format("{} left", span_text(seconds{count}));
}

Tone tone_of_state(std::string_view state) {
  if (state == "DANE") return Tone::good;
  if (state == "ERR") return Tone::bad;
  return state == "ENC" ? Tone::care : Tone::plain;
}

Tone tone_of_sts(std::string_view sts) {
  if (sts == "S-ENF") return Tone::good;
  const bool open = sts == "S-TXTERR" || sts == "S-PEND" || sts == "S-OWN";
  if (open) return Tone::bad;
  return sts == "S-FETCH" ? Tone::care : Tone::plain;
}

Tone tone_of_reply(std::string_view dialect, std::string_view reply) {
  const std::string_view status =
      reply_status(dialect_called(dialect).value_or(Dialect::postfix), reply);
  if (status == "TEMP") return Tone::bad;
  return status == "OK" ? Tone::good : Tone::plain;
}

class Tree {
 public:
  explicit Tree(const Paint& paint) : paint_(paint) {}

  void root(const json::object& explanation, std::string_view dialect);
  std::string take() { return std::move(out_); }

 private:
  void line(std::size_t level, std::string_view text) {
    out_.append(level * kStep, ' ');
    out_ += text;
    out_ += '\n';
  }
  /// A label of a column of its own, and what it says.
  void entry(std::size_t level, std::string_view label, std::string_view text) {
    const std::string padded = fmt::format("{:<{}}", label, kLabel);
    line(level, fmt::format("{}{}", paint_(Tone::strong, padded), text));
  }
  /// `text` is escaped here; what is coloured is not passed here.
  void field(std::size_t level, std::string_view label, std::string_view text) {
    if (!text.empty()) entry(level, label, told(text));
  }
  void more(std::size_t level, std::int64_t total, std::size_t shown_items) {
    const auto rest = total - static_cast<std::int64_t>(shown_items);
    if (rest > 0) line(level, fmt::format("... and {} more", rest));
  }

  void look(const json::object& look, std::string_view dialect);
  void dane(const json::object& dane);
  void host(const json::object& host, bool has_preference);
  void records(const json::object& host);
  void sts(const json::object& sts);
  void txt(const json::object& txt);
  void policy(const json::object& policy);
  void fetch(const json::object& fetch, bool has_policy);
  void failures(std::string_view what, const json::object& streak);
  void decision(const json::object& look, std::string_view dialect);
  void answers(const json::object& look);
  void differences(const json::object& explanation);

  const Paint& paint_;
  std::string out_;
};

void Tree::root(const json::object& explanation, std::string_view dialect) {
  line(0, paint_(Tone::strong, told(text_at(explanation, "key"))));
  const json::object& next_hop = object_at(explanation, "next_hop");
  if (next_hop.empty()) {
    field(1, "next-hop", "none: " + std::string(text_at(explanation, "no_destination")));
  } else {
    const bool has_mx = is_true(next_hop, "mx_lookup");
    field(1, "next-hop",
          fmt::format("{}: {}, port {}", text_at(next_hop, "domain"),
                      has_mx ? "MX lookup" : "a host, no MX lookup", number_at(next_hop, "port")));
  }
  const json::object& rule = object_at(explanation, "override");
  if (!rule.empty()) {
    entry(1, "override",
          paint_(Tone::care,
                 fmt::format("line {}: {}", number_at(rule, "line"), told(text_at(rule, "rule")))));
  }
  const json::object& settings = object_at(explanation, "settings");
  if (text_at(settings, "mode") == "observe") {
    entry(1, "mode", paint_(Tone::care, "observe: every answer is \"not found\""));
  }
  look(object_at(explanation, "known"), dialect);
  if (is_true(explanation, "too_busy")) {
    line(0, paint_(Tone::bad, "No live look: too many others are looking.  Try again."));
  }
  if (!object_at(explanation, "live").empty()) differences(explanation);
}

void Tree::look(const json::object& look, std::string_view dialect) {
  if (!object_at(look, "dane").empty()) dane(object_at(look, "dane"));
  if (!object_at(look, "sts").empty()) sts(object_at(look, "sts"));
  decision(look, dialect);
  answers(look);
}

// ---- DANE -----------------------------------------------------------------------------------

void Tree::dane(const json::object& dane) {
  const std::string_view status = text_at(dane, "mx");
  const bool has_mx = status == "ok";
  std::string text = told(text_at(dane, "reason"));
  if (has_mx || status == "implicit") {
    const bool secure = is_true(dane, "mx_secure");
    text += fmt::format("; {}, {}", secure ? paint_(Tone::good, "secure") : "insecure",
                        left_text(number_at(dane, "mx_ttl")));
  }
  entry(1, "MX", text);
  const json::array& hosts = array_at(dane, "hosts");
  const std::size_t count = std::min(hosts.size(), kMaxShownHosts);
  for (std::size_t i = 0; i < count; ++i) {
    if (hosts[i].is_object()) host(hosts[i].as_object(), has_mx);
  }
  more(2, number_at(dane, "hosts_total"), count);
}

void Tree::host(const json::object& host, bool has_preference) {
  const std::string_view state = text_at(host, "state");
  const std::string preference =
      has_preference ? fmt::format("{} ", number_at(host, "preference")) : std::string();
  const std::string_view reason = text_at(host, "reason");
  line(2, fmt::format("{}{}  {}: {}", preference, told(text_at(host, "name")),
                      paint_(tone_of_state(state), told(state)),
                      reason.empty() ? "not looked at" : told(reason)));
  const std::string aliases = joined_at(host, "aliases", " -> ", kMaxShownItems);
  field(3, "alias of", aliases);
  std::string addresses = joined_at(host, "addresses", ", ", kMaxShownItems);
  if (!addresses.empty()) {
    addresses += fmt::format("; {}, {}", is_true(host, "secure") ? "secure" : "insecure",
                             left_text(number_at(host, "ttl")));
  }
  field(3, "addresses", addresses);
  field(3, "TLSA at", text_at(host, "tlsa_owner"));
  records(host);
  const json::value* allowed = host.if_contains("in_policy");
  if (allowed != nullptr && allowed->is_bool()) {
    entry(3, "MTA-STS",
          allowed->get_bool() ? "the policy allows this name"
                              : paint_(Tone::care, "the policy does not allow this name"));
  }
}

void Tree::records(const json::object& host) {
  const json::array& records = array_at(host, "tlsa");
  const std::size_t count = std::min(records.size(), kMaxShownItems);
  for (std::size_t i = 0; i < count; ++i) {
    if (!records[i].is_object()) continue;
    const json::object& record = records[i].as_object();
    const bool usable = is_true(record, "usable");
    const bool superseded = is_true(record, "superseded");
    const char* label = usable ? "usable" : superseded ? "not used" : "unusable";
    std::string text = fmt::format("{}  {}", told(text_at(record, "record"), kMaxShownRecord),
                                   told(text_at(record, "means")));
    if (!usable) text += ": " + told(text_at(record, "why"));
    line(4,
         fmt::format("{} {}", paint_(usable ? Tone::good : Tone::care, fmt::format("{:<9}", label)),
                     text));
  }
  more(4, number_at(host, "tlsa_total"), count);
}

// ---- MTA-STS ----------------------------------------------------------------------------------

void Tree::sts(const json::object& sts) {
  const std::string_view value = text_at(sts, "class");
  entry(
      1, "MTA-STS",
      fmt::format("{}: {}", paint_(tone_of_sts(value), told(value)), told(text_at(sts, "reason"))));
  txt(object_at(sts, "txt"));
  const json::object& kept = object_at(sts, "policy");
  if (!kept.empty()) policy(kept);
  fetch(object_at(sts, "fetch"), !kept.empty());
  field(2, "unreadable", text_at(sts, "unreadable"));
}

void Tree::txt(const json::object& txt) {
  const std::string_view state = text_at(txt, "state");
  std::string text(state);
  if (state == "valid") text = fmt::format("id {}", text_at(txt, "id"));
  const std::string_view problem = text_at(txt, "problem");
  if (!problem.empty()) text += fmt::format(": {}", problem);
  if (has_number(txt, "age")) {
    text += "; " + left_text(number_at(txt, "ttl") - number_at(txt, "age"));
  } else {
    text = "not looked up";
  }
  field(2, "TXT", text);
  const json::array& records = array_at(txt, "records");
  const std::size_t count = std::min(records.size(), kMaxShownItems);
  for (std::size_t i = 0; i < count; ++i) {
    if (!records[i].is_string()) continue;
    line(3, fmt::format("\"{}\"", told(records[i].as_string(), kMaxShownRecord)));
  }
  more(3, number_at(txt, "records_total"), count);
  if (!object_at(txt, "failures").empty()) failures("lookup", object_at(txt, "failures"));
}

std::string source_text(const json::object& policy) {
  const std::string_view source = text_at(policy, "source");
  const std::string ago = span_text(seconds{number_at(policy, "age")}) + " ago";
  if (source == "fetched") return "fetched just now";
  if (source == "memory") return "fetched " + ago + ", and remembered";
  return "fetched " + ago + " by an earlier run, and read from the store";
}

void Tree::policy(const json::object& policy) {
  const std::int64_t max_age = number_at(policy, "max_age");
  field(2, "policy",
        fmt::format("mode {}, max_age {} ({}), id {}", text_at(policy, "mode"), max_age,
                    span_text(seconds{max_age}), text_at(policy, "id")));
  std::string names = joined_at(policy, "mx", ", ", kMaxShownItems);
  field(3, "allows", names.empty() ? "no host" : names);
  field(3, "from", source_text(policy));
  const std::string_view expires = text_at(policy, "expires");
  const std::int64_t left = number_at(policy, "left");
  entry(3, "expires",
        paint_(left < 0 ? Tone::bad : Tone::plain,
               fmt::format("{}{}{}", told(expires), expires.empty() ? "" : ", ", left_text(left))));
  if (!is_true(policy, "stored")) field(3, "kept", "not in the store: max_age is 0");
  const json::array& lines = array_at(policy, "lines");
  const std::size_t count = std::min(lines.size(), kMaxShownLines);
  for (std::size_t i = 0; i < count; ++i) {
    if (!lines[i].is_string()) continue;
    line(3, fmt::format("| {}", told(lines[i].as_string(), kMaxShownRecord)));
  }
  more(3, number_at(policy, "lines_total"), count);
}

void Tree::fetch(const json::object& fetch, bool has_policy) {
  if (is_true(fetch, "under_way")) field(2, "fetch", "under way");
  if (has_number(fetch, "next")) {
    const std::int64_t next = number_at(fetch, "next");
    const std::string when = next == 0 ? "now" : "in " + span_text(seconds{next});
    field(2, "next fetch", has_policy ? when : when + ", when somebody asks");
  }
  if (has_number(fetch, "second")) {
    field(2, "again",
          fmt::format("in {}, because the id is new",
                      span_text(seconds{number_at(fetch, "second")})));
  }
  if (!object_at(fetch, "failures").empty()) failures("fetch", object_at(fetch, "failures"));
  field(2, "our fault", text_at(fetch, "own_fault"));
}

void Tree::failures(std::string_view what, const json::object& streak) {
  const std::int64_t count = number_at(streak, "count");
  const std::string_view last = text_at(streak, "last");
  const std::string when = count == 1 ? fmt::format("one failure, at {}", last)
                                      : fmt::format("{} failures in a row from {} to {}", count,
                                                    text_at(streak, "first"), last);
  const std::string text = fmt::format("{}: {}: {}", what, when, text_at(streak, "text"));
  entry(2, "failures", paint_(Tone::care, told(text)));
}

// ---- the decision and its words -------------------------------------------------------------

const json::object* answer_for(const json::object& look, std::string_view dialect) {
  const json::array& answers = array_at(look, "answers");
  for (const json::value& answer : answers) {
    const bool is_it = answer.is_object() && text_at(answer.as_object(), "dialect") == dialect;
    if (is_it) return &answer.as_object();
  }
  const bool any = !answers.empty() && answers.front().is_object();
  return any ? &answers.front().as_object() : nullptr;
}

void Tree::decision(const json::object& look, std::string_view dialect) {
  const json::object* answer = answer_for(look, dialect);
  if (answer == nullptr) return;
  entry(1, "decision",
        fmt::format("row {}: {} (for {})", told(text_at(*answer, "row")),
                    paint_(Tone::strong, told(text_at(*answer, "action"))),
                    told(text_at(*answer, "dialect"))));
  const json::array& trail = array_at(*answer, "trail");
  for (const json::value& item : trail) {
    if (!item.is_object()) continue;
    const std::string_view row = text_at(item.as_object(), "row");
    const std::string label = row.empty()      ? "found"
                              : row == "MIXED" ? "MIXED"
                                               : fmt::format("row {}", row);
    entry(2, told(label), told(text_at(item.as_object(), "text")));
  }
  field(2, "notices", joined_at(*answer, "notices", ", ", kMaxShownItems));
  const json::object& expiry = object_at(*answer, "at_expiry");
  if (expiry.empty()) return;
  field(2, "at expiry",
        fmt::format("row {}: {}, if no fetch succeeds before", text_at(expiry, "row"),
                    reply_text(expiry, "reply")));
}

void Tree::answers(const json::object& look) {
  line(1, paint_(Tone::strong, "answers"));
  const json::array& answers = array_at(look, "answers");
  std::size_t width = 0;
  for (const json::value& item : answers) {
    if (!item.is_object()) continue;
    width = std::max(width, joined_at(item.as_object(), "names", ", ", kMaxShownItems).size());
  }
  for (const json::value& item : answers) {
    if (!item.is_object()) continue;
    const json::object& answer = item.as_object();
    const std::string reply = reply_text(answer, "reply");
    std::string holds = span_text(seconds{number_at(answer, "ttl")});
    if (is_true(answer, "kept")) holds += ", kept";
    // The row is that of the decision by now, not of another answer that is kept.
    const bool is_decided = text_at(answer, "decided").empty();
    if (is_decided) holds += fmt::format(", row {}", told(text_at(answer, "row")));
    line(2, fmt::format("{:<{}}  {}  ({})", told(joined_at(answer, "names", ", ", kMaxShownItems)),
                        width, paint_(tone_of_reply(text_at(answer, "dialect"), reply), reply),
                        holds));
    field(3, "then", reply_text(answer, "decided"));
    field(3, "would be", reply_text(object_at(answer, "would_be"), "reply"));
  }
}

void Tree::differences(const json::object& explanation) {
  const json::array& found = array_at(explanation, "differences");
  if (found.empty()) {
    line(1, paint_(Tone::good, "live: looked up again, nothing is different"));
    return;
  }
  line(1, paint_(Tone::care, "live: looked up again, this is different"));
  for (const json::value& item : found) {
    if (!item.is_object()) continue;
    const json::object& difference = item.as_object();
    line(2, paint_(Tone::strong, told(text_at(difference, "what"))));
    for (const char* side : {"known", "live"}) {
      const std::string text = reply_text(difference, side);
      field(3, side, text.empty() ? "nothing" : text);
    }
  }
  more(2, number_at(explanation, "differences_total"), found.size());
}

}  // namespace

std::string explanation_tree(const json::object& explanation, std::string_view dialect,
                             const Paint& paint) {
  Tree tree(paint);
  tree.root(explanation, dialect);
  return tree.take();
}

}  // namespace sealane

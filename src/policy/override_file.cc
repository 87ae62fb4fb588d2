// SPDX-License-Identifier: Apache-2.0
#include "policy/override_file.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"
#include "policy/fixed_answer.h"
#include "policy/line_words.h"

namespace sealane {
namespace {

using std::chrono::sys_seconds;

constexpr std::string_view kKnownWords =
    "there are postfix=\"TEXT\", exim=\"TEXT\", dane=off|only, sts=off, observe, until=DATE, "
    "reason=\"TEXT\"";

/// Octets of a wrong word that are shown: with file, line and remedy it fits a log line.
constexpr std::size_t kMaxShownWord = 60;

std::string shown(std::string_view word) { return escape(word, kMaxShownWord); }

/// The errors so far, bounded.
class Problems {
 public:
  template <class... Args>
  void add(int line, fmt::format_string<Args...> text, Args&&... args) {
    if (++count_ > kMaxOverrideProblems) return;
    kept_.push_back({line, fmt::format(text, std::forward<Args>(args)...)});
  }
  bool none() const { return count_ == 0; }
  OverrideProblems take() {
    std::stable_sort(kept_.begin(), kept_.end(),
                     [](const auto& a, const auto& b) { return a.line < b.line; });
    if (count_ > kept_.size()) {
      kept_.push_back({0, fmt::format("{} more errors", count_ - kept_.size())});
    }
    return std::move(kept_);
  }

 private:
  OverrideProblems kept_;
  std::size_t count_ = 0;
};

struct Place {
  Domain domain;
  bool subtree = false;
};

Result<Place> read_place(std::string_view text) {
  const std::string name = shown(text);
  if (text.find('=') != std::string_view::npos) {
    return failure("\"{}\": a line begins with a domain or \".domain\"", name);
  }
  if (text.find_first_of("[]") != std::string_view::npos) {
    return failure("\"{}\": write the name alone; a rule is for \"[name]\" and every port too",
                   name);
  }
  if (is_ip_address(text)) {
    return failure("\"{}\": an address cannot be overridden; remove the line", name);
  }
  if (text.find(':') != std::string_view::npos) {
    return failure("\"{}\": write the name without a port; a rule is for every port", name);
  }
  if (text.starts_with("*.")) {
    return failure("\"{}\": write \"{}\" for all names below it", name, shown(text.substr(1)));
  }
  if (text == ".") return failure("\".\": for all domains use policy.mode in sealane.conf");
  const bool subtree = text.starts_with('.');
  auto domain = Domain::parse_idn(text.substr(subtree ? 1 : 0));
  if (!domain) {
    return failure("\"{}\": {}; write a domain or \".domain\"", name, domain.error());
  }
  return Place{*std::move(domain), subtree};
}

/// A number of exactly `digits` digits at the front of `text`, which is cut off.
std::optional<int> take_number(std::string_view& text, std::size_t digits) {
  constexpr std::uint64_t kMost = 9999;  // no field has more than four digits
  if (text.size() < digits) return std::nullopt;
  const auto number = parse_decimal(text.substr(0, digits), kMost);
  if (!number) return std::nullopt;
  text.remove_prefix(digits);
  return static_cast<int>(*number);
}

bool take(std::string_view& text, char wanted) {
  if (!text.starts_with(wanted)) return false;
  text.remove_prefix(1);
  return true;
}

/// "HH:MM" or "HH:MM:SS" and "Z".
std::optional<std::chrono::seconds> read_time(std::string_view text) {
  const auto hours = take_number(text, 2);
  if (!hours || *hours > 23 || !take(text, ':')) return std::nullopt;
  const auto minutes = take_number(text, 2);
  if (!minutes || *minutes > 59) return std::nullopt;
  std::optional<int> seconds = 0;
  if (take(text, ':')) seconds = take_number(text, 2);
  if (!seconds || *seconds > 59 || text != "Z") return std::nullopt;
  return std::chrono::hours{*hours} + std::chrono::minutes{*minutes} +
         std::chrono::seconds{*seconds};
}

/// The first moment that is not covered: the end of a day, or the moment itself.
std::optional<sys_seconds> read_until(std::string_view text) {
  const auto year = take_number(text, 4);
  if (!year || *year < 1970 || !take(text, '-')) return std::nullopt;
  const auto month = take_number(text, 2);
  if (!month || !take(text, '-')) return std::nullopt;
  const auto day = take_number(text, 2);
  if (!day) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year{*year},
                                         std::chrono::month{static_cast<unsigned>(*month)},
                                         std::chrono::day{static_cast<unsigned>(*day)}};
  if (!date.ok()) return std::nullopt;
  const sys_seconds midnight = std::chrono::sys_days{date};
  if (text.empty()) return midnight + std::chrono::days{1};
  if (!take(text, 'T')) return std::nullopt;
  const auto time = read_time(text);
  if (!time) return std::nullopt;
  return midnight + *time;
}

/// Reads the words behind the domain into a rule, each on its own: one line may have many errors.
class RuleReader {
 public:
  RuleReader(OverrideRule& rule, Problems& problems) : rule_(rule), problems_(problems) {}

  void read(const std::vector<LineWord>& words) {
    for (std::size_t i = 1; i < words.size(); ++i) read_word(words, i);
    check_whole(words);
  }

 private:
  void read_word(const std::vector<LineWord>& words, std::size_t i) {
    const LineWord& word = words[i];
    const std::string name = shown(word.text);
    const auto before = std::find_if(words.begin() + 1, words.begin() + static_cast<long>(i),
                                     [&word](const LineWord& w) { return w.key == word.key; });
    const bool is_repeated = before != words.begin() + static_cast<long>(i);
    if (is_repeated && before->value != word.value) {
      return add("\"{}\" contradicts \"{}\"; keep one", name, shown(before->text));
    }
    if (is_repeated) return add("\"{}\" is given twice; keep one", name);
    if (word.key == "postfix") return read_fixed(word, rule_.override_.postfix_reply);
    if (word.key == "exim") return read_fixed(word, rule_.override_.exim_reply);
    if (word.key == "dane") return read_dane(word);
    if (word.key == "sts") {
      rule_.override_.sts_off = word.value == "off";
      if (!rule_.override_.sts_off) add("\"{}\": write sts=off, or leave it out", name);
      return;
    }
    if (word.key == "observe") {
      rule_.override_.observe = !word.value;
      if (word.value) add("\"{}\": observe takes no value; write observe", name);
      return;
    }
    if (word.key == "until") return read_end(word);
    if (word.key == "reason") return read_reason(word);
    add("\"{}\" is unknown; {}", name, kKnownWords);
  }

  void read_fixed(const LineWord& word, std::string& reply) {
    const bool is_postfix = word.key == "postfix";
    const std::string_view value = word.value.value_or("");
    const auto checked = is_postfix ? check_postfix_answer(value) : check_exim_answer(value);
    if (!checked) add("{}: {}", word.key, checked.error());
    reply = trim(value);
  }

  void read_dane(const LineWord& word) {
    if (word.value == "off") {
      rule_.override_.dane = DaneOverride::off;
    } else if (word.value == "only") {
      rule_.override_.dane = DaneOverride::only;
    } else {
      add("\"{}\": write dane=off or dane=only", shown(word.text));
    }
  }

  void read_end(const LineWord& word) {
    rule_.until = read_until(word.value.value_or(""));
    if (rule_.until) return;
    add("\"{}\" is no date; write until=YYYY-MM-DD (the end of that day, UTC) or "
        "until=YYYY-MM-DDTHH:MMZ",
        shown(word.text));
  }

  void read_reason(const LineWord& word) {
    const std::string_view value = trim(word.value.value_or(""));
    rule_.override_.reason = value;
    if (value.empty()) return add("reason is empty; say why this override exists");
    if (value.size() <= kMaxOverrideReason) return;
    add("reason has {} octets; write at most {}", value.size(), kMaxOverrideReason);
  }

  void check_whole(const std::vector<LineWord>& words) {
    const auto has = [&words](std::string_view key) {
      return std::any_of(words.begin() + 1, words.end(),
                         [key](const LineWord& word) { return word.key == key; });
    };
    const std::string place = shown(words.front().text);
    if (!has("reason")) {
      add("\"{}\" has no reason; add reason=\"TEXT\" and say why this override exists", place);
    }
    const bool is_fixed = has("postfix") || has("exim");
    for (std::string_view other : {"dane", "sts", "observe"}) {
      if (!is_fixed || !has(other)) continue;
      add("\"{}\" contradicts a fixed answer, which rules alone; keep one", other);
    }
    const bool does_something = is_fixed || has("dane") || has("sts") || has("observe");
    if (!does_something) add("\"{}\" overrides nothing; {}", place, kKnownWords);
  }

  template <class... Args>
  void add(fmt::format_string<Args...> text, Args&&... args) {
    problems_.add(rule_.line, text, std::forward<Args>(args)...);
  }

  OverrideRule& rule_;
  Problems& problems_;
};

/// Stands for a domain that is wrong, so that the rest of its line is checked as well.
Domain nobody() { return *Domain::parse("invalid"); }

std::optional<OverrideRule> read_line(std::string_view line, int number, Problems& problems) {
  if (const auto checked = check_line(line, kMaxOverrideLine); !checked) {
    problems.add(number, "{}", checked.error());
    return std::nullopt;
  }
  const auto words = words_of_line(line);
  if (!words) problems.add(number, "{}", words.error());
  if (!words || words->empty()) return std::nullopt;
  const auto place = read_place(words->front().text);
  if (!place) problems.add(number, "{}", place.error());
  OverrideRule rule{.domain = place ? place->domain : nobody(),
                    .subtree = place && place->subtree,
                    .override_ = {},
                    .until = {},
                    .line = number};
  RuleReader(rule, problems).read(*words);
  if (!place) return std::nullopt;
  return rule;
}

void find_duplicates(const Overrides& overrides, Problems& problems) {
  const OverrideRule* first = nullptr;
  for (const OverrideRule& rule : overrides.rules()) {
    const bool is_same =
        first != nullptr && first->domain == rule.domain && first->subtree == rule.subtree;
    if (!is_same) {
      first = &rule;
      continue;
    }
    problems.add(rule.line, "\"{}\" has a rule in line {} already; keep one", rule.place(),
                 first->line);
  }
}

}  // namespace

Result<Overrides, OverrideProblems> parse_overrides(std::string_view text) {
  Problems problems;
  std::vector<OverrideRule> rules;
  int number = 0;
  for (std::size_t end = 0; end != std::string_view::npos;) {
    end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    ++number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    auto rule = read_line(line, number, problems);
    if (!rule) continue;
    if (rules.size() == kMaxOverrides) {
      problems.add(number, "more than {} rules; use \".domain\" for many names", kMaxOverrides);
      break;
    }
    rules.push_back(*std::move(rule));
  }
  Overrides overrides(std::move(rules));
  find_duplicates(overrides, problems);
  if (!problems.none()) return tl::unexpected(problems.take());
  return overrides;
}

}  // namespace sealane

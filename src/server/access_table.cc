// SPDX-License-Identifier: Apache-2.0
#include "server/access_table.h"

#include <algorithm>
#include <utility>

#include "base/file.h"
#include "base/text.h"
#include "policy/line_words.h"

namespace sealane {
namespace {

constexpr std::string_view kKnownWords =
    "there are any, context=NAME, user=NAME, sender=ADDRESS, recipient=ADDRESS, require, record, "
    "pass, reason=\"TEXT\"";
/// Octets of a wrong word that are shown: with file, line and remedy it fits a log line.
constexpr std::size_t kMaxShownWord = 60;

std::string shown(std::string_view word) { return escape(word, kMaxShownWord); }

/// The domain of an address as the rules have theirs; text that is none is compared as it is.
std::string folded(std::string_view domain) {
  const auto name = Domain::parse_idn(domain);
  return name ? name->text() : lower_ascii(domain);
}

Result<AddressPattern> parse_pattern(std::string_view text) {
  AddressPattern pattern;
  if (text == "<>") {
    pattern.is_empty = true;
    return pattern;
  }
  const std::size_t at = text.rfind('@');
  std::string_view domain = text;
  if (at != std::string_view::npos) {
    pattern.local = lower_ascii(text.substr(0, at));
    domain = text.substr(at + 1);
    if (pattern.local.empty()) return failure("\"{}\": write the domain alone", shown(text));
  }
  pattern.subtree = domain.starts_with('.');
  auto name = Domain::parse_idn(domain.substr(pattern.subtree ? 1 : 0));
  if (!name) {
    return failure("\"{}\": {}; write user@domain, domain, .domain or <>", shown(text),
                   name.error());
  }
  pattern.domain = name->text();
  return pattern;
}

/// Reads the words of one line.
class RuleReader {
 public:
  RuleReader(AccessRule& rule, std::vector<std::string>& problems)
      : rule_(rule), problems_(problems) {}

  void read(const std::vector<LineWord>& words) {
    for (const LineWord& word : words) read_word(word);
    const bool has_condition = !rule_.contexts.empty() || !rule_.users.empty() ||
                               !rule_.senders.empty() || !rule_.recipients.empty();
    if (any_ == has_condition) {
      add("a rule is for \"any\", or says who is meant by context=, user=, sender=, recipient=");
    }
    const bool demands = rule_.require || rule_.record;
    if (pass_ == demands) add("a rule says either pass, or require, record, or both of these");
    if (rule_.reason.empty()) add("add reason=\"TEXT\" and say why this rule exists");
  }

 private:
  void read_word(const LineWord& word) {
    if (!word.value) return read_flag(word);
    const std::string_view value = trim(*word.value);
    if (value.empty()) return add(fmt::format("\"{}\" has no value", shown(word.text)));
    if (word.key == "context") {
      rule_.contexts.emplace_back(value);
    } else if (word.key == "user") {
      rule_.users.emplace_back(value);
    } else if (word.key == "sender") {
      read_address(value, rule_.senders);
    } else if (word.key == "recipient") {
      read_address(value, rule_.recipients);
    } else if (word.key == "reason") {
      read_reason(value);
    } else {
      add(fmt::format("\"{}\" is unknown; {}", shown(word.text), kKnownWords));
    }
  }

  void read_flag(const LineWord& word) {
    bool* flag = word.text == "any"       ? &any_
                 : word.text == "pass"    ? &pass_
                 : word.text == "require" ? &rule_.require
                 : word.text == "record"  ? &rule_.record
                                          : nullptr;
    if (flag == nullptr) {
      return add(fmt::format("\"{}\" is unknown; {}", shown(word.text), kKnownWords));
    }
    if (*flag) add(fmt::format("\"{}\" is given twice; keep one", word.text));
    *flag = true;
  }

  void read_address(std::string_view value, std::vector<AddressPattern>& patterns) {
    auto pattern = parse_pattern(value);
    if (!pattern) return add(pattern.error());
    patterns.push_back(*std::move(pattern));
  }

  void read_reason(std::string_view value) {
    if (!rule_.reason.empty()) return add("reason is given twice; keep one");
    rule_.reason = value;
    if (value.size() <= kMaxAccessReason) return;
    add(fmt::format("reason has {} octets; write at most {}", value.size(), kMaxAccessReason));
  }

  void add(std::string text) { problems_.push_back(std::move(text)); }

  AccessRule& rule_;
  std::vector<std::string>& problems_;
  bool any_ = false;
  bool pass_ = false;
};

std::optional<AccessRule> read_line(std::string_view line, std::vector<std::string>& problems) {
  if (const auto checked = check_line(line, kMaxAccessLine); !checked) {
    problems.push_back(checked.error());
    return std::nullopt;
  }
  const auto words = words_of_line(line);
  if (!words) problems.push_back(words.error());
  if (!words || words->empty()) return std::nullopt;
  AccessRule rule;
  RuleReader(rule, problems).read(*words);
  return rule;
}

bool contains(const std::vector<std::string>& list, std::string_view wanted) {
  return list.empty() || std::find(list.begin(), list.end(), wanted) != list.end();
}

bool contains(const std::vector<AddressPattern>& list, std::string_view address) {
  return list.empty() || std::any_of(list.begin(), list.end(), [address](const auto& pattern) {
           return pattern.matches(address);
         });
}

}  // namespace

bool AddressPattern::matches(std::string_view address) const {
  if (is_empty || address.empty()) return is_empty && address.empty();
  const std::size_t at = address.rfind('@');
  if (at == std::string_view::npos) return false;
  if (!local.empty() && lower_ascii(address.substr(0, at)) != local) return false;
  const std::string name = folded(address.substr(at + 1));
  if (!subtree) return name == domain;
  return name.size() > domain.size() + 1 && name.ends_with(domain) &&
         name[name.size() - domain.size() - 1] == '.';
}

bool AccessRule::matches(const AccessRequest& request) const {
  return matches_sender(request) && contains(recipients, request.recipient);
}

bool AccessRule::matches_sender(const AccessRequest& request) const {
  return contains(contexts, request.context) && contains(users, request.user) &&
         contains(senders, request.sender);
}

const AccessRule* AccessTable::find(const AccessRequest& request) const {
  const auto found = std::find_if(rules_.begin(), rules_.end(), [&request](const AccessRule& rule) {
    return rule.matches(request);
  });
  return found == rules_.end() ? nullptr : &*found;
}

const AccessRule* AccessTable::demand_of_sender(const AccessRequest& request) const {
  for (const AccessRule& rule : rules_) {
    if (!rule.matches_sender(request)) continue;
    if (rule.require) return &rule;
    if (rule.recipients.empty()) return nullptr;  // the rules behind it are for others
  }
  return nullptr;
}

Result<AccessTable, std::vector<std::string>> parse_access_table(std::string_view text,
                                                                 std::string_view file) {
  std::vector<AccessRule> rules;
  std::vector<std::string> told;
  int number = 0;
  for (std::string_view line : split(text, '\n')) {
    ++number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    std::vector<std::string> problems;
    auto rule = read_line(line, problems);
    if (rule && rules.size() == kMaxAccessRules) {
      problems.push_back(
          fmt::format("more than {} rules; name classes of senders, or domains", kMaxAccessRules));
    }
    for (const std::string& problem : problems) {
      told.push_back(fmt::format("{}:{}: {}", file, number, problem));
    }
    if (told.size() >= kMaxAccessProblems) break;
    if (!rule || !problems.empty()) continue;
    rule->line = number;
    rules.push_back(*std::move(rule));
  }
  if (!told.empty()) return tl::unexpected(std::move(told));
  return AccessTable(std::move(rules));
}

Result<AccessTable, std::vector<std::string>> load_access_table(const std::string& path) {
  if (path.empty()) return AccessTable();
  const Result<std::string> text = read_file(path, kMaxAccessFile);
  if (!text) return tl::unexpected(std::vector<std::string>{text.error()});
  return parse_access_table(*text, path);
}

}  // namespace sealane

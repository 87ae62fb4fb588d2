// SPDX-License-Identifier: Apache-2.0
#include "server/postfix_grammar.h"

#include <algorithm>
#include <cctype>
#include <set>

namespace sealane {
namespace {

using Words = std::vector<std::string>;

const std::set<std::string> kLevels{"none", "may",       "encrypt", "fingerprint",
                                    "dane", "dane-only", "verify",  "secure"};

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

std::string stripped(const std::string& text) {
  const char* blanks = " \t\r\n";
  const auto first = text.find_first_not_of(blanks);
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

/// mystrtokq(): blanks and commas separate, except within balanced braces.
Result<Words> tokens_of(const std::string& text) {
  Words tokens;
  std::string token;
  int depth = 0;
  for (char c : text) {
    const bool separates = std::string_view(" \t\r\n,").find(c) != std::string_view::npos;
    if (depth == 0 && separates) {
      if (!token.empty()) tokens.push_back(token);
      token.clear();
      continue;
    }
    if (c == '{') ++depth;
    if (c == '}' && --depth < 0) return failure("a brace too many");
    token += c;
  }
  if (depth != 0) return failure("an open brace");
  if (!token.empty()) tokens.push_back(token);
  return tokens;
}

Words pieces_of(const std::string& text, char separator) {
  Words pieces{""};
  for (char c : text) {
    if (c == separator) {
      pieces.emplace_back();
    } else {
      pieces.back() += c;
    }
  }
  return pieces;
}

/// What is ours to promise about a match item beyond Postfix's own checks.
Result<void> check_name_item(const std::string& item) {
  const std::string name = item.starts_with('.') ? item.substr(1) : item;
  if (name.empty()) return failure("an empty match item");
  if (item == "hostname" || item == "nexthop" || item == "dot-nexthop") {
    return failure("match keyword {}", item);
  }
  const bool is_clean = std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::islower(c) || std::isdigit(c) || c == '.' || c == '-' || c == '_';
  });
  if (!is_clean || name.ends_with('.') || name.starts_with('.')) {
    return failure("match item \"{}\"", item);
  }
  return {};
}

Result<void> check_fingerprint(const std::string& item) {
  const bool is_hex =
      std::all_of(item.begin(), item.end(), [](unsigned char c) { return std::isxdigit(c) != 0; });
  if (item.size() != 64 || !is_hex) return failure("fingerprint \"{}\"", item);
  return {};
}

Result<void> add_match(PostfixAnswer& answer, const std::string& value) {
  const bool is_keys = answer.level == "fingerprint";
  const bool is_names = answer.level == "secure" || answer.level == "verify";
  if (!is_keys && !is_names) return failure("match at level {}", answer.level);
  for (const std::string& item : pieces_of(value, is_keys ? '|' : ':')) {
    const auto checked = is_keys ? check_fingerprint(item) : check_name_item(item);
    if (!checked) return checked;
    answer.match.push_back(item);
  }
  return {};
}

bool is_pattern(const std::string& text) {
  return is_valid_hostname(text.starts_with("*.") ? text.substr(2) : text);
}

Result<void> add_once(PostfixAnswer& answer, const std::string& name, const std::string& value) {
  if (!answer.attributes.emplace(name, value).second) return failure("{} twice", name);
  if (name == "servername" && value != "hostname") return failure("servername {}", value);
  if (name == "policy_type" && value != "sts" && value != "no-policy-found") {
    return failure("policy_type {}", value);
  }
  if (name == "policy_domain" && !is_valid_hostname(value)) {
    return failure("policy_domain {}", value);
  }
  return {};
}

Result<void> add_attribute(PostfixAnswer& answer, const std::string& name, const std::string& value,
                           PostfixVersion version) {
  if (value.empty()) return failure("{} is empty", name);
  if (name == "match") return add_match(answer, value);
  if (name == "servername") return add_once(answer, name, value);
  if (version == PostfixVersion::old) return failure("invalid attribute name {}", name);
  if (name == "policy_type" || name == "policy_domain") return add_once(answer, name, value);
  if (name == "policy_string") {
    answer.policy_strings.push_back(value);
    return {};
  }
  if (name != "mx_host_pattern") return failure("invalid attribute name {}", name);
  if (!is_pattern(value)) return failure("mx_host_pattern {}", value);
  answer.mx_host_patterns.push_back(value);
  return {};
}

Result<void> read_attribute(PostfixAnswer& answer, std::string token, PostfixVersion version) {
  if (token.front() == '{') {
    if (version == PostfixVersion::old) return failure("braces: {}", token);
    if (token.back() != '}') return failure("text behind a brace: {}", token);
    token = stripped(token.substr(1, token.size() - 2));
  }
  const auto equals = token.find('=');
  if (equals == std::string::npos) return failure("no '=' in {}", token);
  const std::string name = lower(stripped(token.substr(0, equals)));
  return add_attribute(answer, name, stripped(token.substr(equals + 1)), version);
}

Result<void> check_whole(const PostfixAnswer& answer) {
  const bool is_level_with_match =
      answer.level == "secure" || answer.level == "verify" || answer.level == "fingerprint";
  if (is_level_with_match && answer.match.empty()) return failure("{} without match", answer.level);
  if (is_level_with_match && answer.attributes.count("servername") == 0) {
    return failure("{} without servername: no SNI", answer.level);
  }
  const bool has_policy = !answer.mx_host_patterns.empty() || !answer.policy_strings.empty() ||
                          answer.attributes.count("policy_domain") > 0;
  if (has_policy && answer.attributes.count("policy_type") == 0) {
    return failure("policy attributes without policy_type");
  }
  if (answer.attributes.count("policy_type") > 0 && answer.level.starts_with("dane")) {
    return failure("a policy to report at a DANE level");
  }
  return {};
}

Result<PostfixAnswer> read_policy(const std::string& text, PostfixVersion version) {
  const auto tokens = tokens_of(text);
  if (!tokens) return failure("{}", tokens.error());
  if (tokens->empty()) return failure("an empty policy");
  PostfixAnswer answer;
  answer.kind = PostfixAnswer::Kind::policy;
  answer.level = lower(tokens->front());
  if (kLevels.count(answer.level) == 0) return failure("level {}", answer.level);
  for (std::size_t i = 1; i < tokens->size(); ++i) {
    const auto read = read_attribute(answer, (*tokens)[i], version);
    if (!read) return failure("{}", read.error());
  }
  const auto checked = check_whole(answer);
  if (!checked) return failure("{}", checked.error());
  return answer;
}

}  // namespace

bool is_valid_hostname(std::string_view name) {
  if (name.empty() || name.size() > 255) return false;
  bool has_letter = false;
  for (const std::string& label : pieces_of(std::string(name), '.')) {
    if (label.empty() || label.size() > 63) return false;
    if (label.front() == '-' || label.back() == '-') return false;
    for (unsigned char c : label) {
      if (!std::isalnum(c) && c != '_' && c != '-') return false;
      has_letter = has_letter || !std::isdigit(c);
    }
  }
  return has_letter;
}

Result<PostfixAnswer> read_postfix_reply(std::string_view payload, PostfixVersion version) {
  if (payload.size() >= 100'000) return failure("{} octets", payload.size());
  if (payload == "NOTFOUND ") {
    PostfixAnswer answer;
    answer.kind = PostfixAnswer::Kind::not_found;
    return answer;
  }
  if (payload.starts_with("OK ")) return read_policy(std::string(payload.substr(3)), version);
  if (!payload.starts_with("TEMP ")) return failure("status of {}", payload.substr(0, 20));
  PostfixAnswer answer;
  answer.reason = payload.substr(5);
  const bool is_printable = std::all_of(answer.reason.begin(), answer.reason.end(),
                                        [](char c) { return c >= ' ' && c <= '~'; });
  if (stripped(answer.reason).empty() || !is_printable) return failure("reason: {}", answer.reason);
  return answer;
}

}  // namespace sealane

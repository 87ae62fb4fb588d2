// SPDX-License-Identifier: Apache-2.0
#include "cli/doctor/checks.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "server/postfix_reply.h"

namespace sealane::doctor {
namespace {

std::string postconf(const PostfixFacts& postfix) {
  if (postfix.config_dir.empty()) return "postconf";
  return "postconf -c " + shell_word(postfix.config_dir);
}

}  // namespace

std::string_view PostfixFacts::value(std::string_view name) const {
  const auto found = values.find(name);
  return found == values.end() ? std::string_view() : std::string_view(found->second);
}

bool PostfixFacts::any_chroot() const {
  return std::any_of(services.begin(), services.end(), [](const Service& s) { return s.chroot; });
}

std::string_view PostfixFacts::level() const {
  const std::string_view level = value("smtp_tls_security_level");
  if (!level.empty()) return level;
  if (value("smtp_enforce_tls") == "yes") return "encrypt";
  return value("smtp_use_tls") == "yes" ? "may" : "none";
}

const PostfixFacts* usable_postfix(const Facts& facts) {
  const bool usable = facts.postfix && facts.postfix->problem.empty();
  return usable ? &*facts.postfix : nullptr;
}

bool only_pins(const PostfixFacts& postfix) {
  bool pins = false;
  for (const PolicyTable& table : postfix.tables) {
    if (!table.is_ours) continue;
    pins = dialect_named(table.map_name) == Dialect::postfix_pins;
    if (!pins) return false;
  }
  return pins;
}

std::string_view name_of(Grade grade) {
  switch (grade) {
    case Grade::note:
      return "note";
    case Grade::warning:
      return "warning";
    case Grade::error:
      return "error";
  }
  return "?";
}

std::string shell_word(std::string_view text) {
  const bool plain = !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return is_alpha(c) || is_digit(c) ||
           std::string_view("_-./:=,@%+").find(c) != std::string::npos;
  });
  if (plain) return std::string(text);
  std::string out = "'";
  for (char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string set_parameter(const PostfixFacts& postfix, std::string_view name,
                          std::string_view value) {
  return fmt::format("{} -e {}", postconf(postfix),
                     shell_word(fmt::format("{} = {}", name, value)));
}

std::string drop_parameter(const PostfixFacts& postfix, std::string_view name) {
  // "-P" and "-F" edit master.cf, where a name has slashes.
  const bool in_master = name.find('/') != std::string_view::npos;
  return fmt::format("{} {} {}", postconf(postfix), in_master ? "-PX" : "-X", shell_word(name));
}

std::string set_option(const Facts& facts, std::string_view name, std::string_view value) {
  const std::size_t dot = name.find('.');
  const std::string_view section = name.substr(0, dot);
  const std::string_view key = name.substr(dot + 1);
  const std::string file = shell_word(facts.config_file);
  const bool is_written =
      std::any_of(facts.settings.begin(), facts.settings.end(),
                  [name](const ConfigSetting& setting) { return setting.name == name; });
  if (is_written) {
    return fmt::format("sed -i 's|^\\([ \\t]*\\({}[.]\\)*{}[ \\t]*=\\).*|\\1 {}|' {}", section, key,
                       value, file);
  }
  return fmt::format("printf '\\n[{}]\\n{} = {}\\n' >> {}", section, key, value, file);
}

std::vector<Check> all_checks() {
  std::vector<Check> all;
  for (const auto checks : {postfix_map_checks(), postfix_checks(), postfix_file_checks(),
                            exim_checks(), host_checks()}) {
    all.insert(all.end(), checks.begin(), checks.end());
  }
  return all;
}

std::vector<Finding> examine(const Facts& facts) {
  std::vector<Finding> findings;
  for (const Check& check : all_checks()) {
    std::optional<Verdict> verdict = check.judge(facts);
    if (verdict) findings.push_back({check.id, check.grade, *std::move(verdict)});
  }
  std::stable_sort(findings.begin(), findings.end(),
                   [](const Finding& a, const Finding& b) { return a.grade > b.grade; });
  return findings;
}

}  // namespace sealane::doctor

// SPDX-License-Identifier: Apache-2.0
// The checks of `sealane doctor`: a table of pure functions from facts to findings.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/doctor/facts.h"

namespace sealane::doctor {

enum class Grade {
  note,     ///< worth knowing; no harm by itself
  warning,  ///< some mail is less protected than could be, or will be held some day
  error,    ///< mail is held, or goes out less protected than its receiver demands
};
std::string_view name_of(Grade grade);

/// What a check has to say.
struct Verdict {
  std::string text;                   ///< one sentence: what is wrong, and what becomes of mail
  std::vector<std::string> commands;  ///< for a shell, in this order; they mend it
  std::string advice;                 ///< where no command can
};

struct Check {
  std::string_view id;  ///< stable: scripts rely on it
  Grade grade;
  std::optional<Verdict> (*judge)(const Facts& facts);
};

/// Each in the order in which findings of one grade are printed.
std::span<const Check> postfix_checks();
std::span<const Check> postfix_map_checks();
std::span<const Check> postfix_file_checks();
std::span<const Check> exim_checks();
std::span<const Check> host_checks();
/// All of them; ids are unique.
std::vector<Check> all_checks();

struct Finding {
  std::string_view id;
  Grade grade = Grade::note;
  Verdict verdict;
};

/// Errors first.  Pure.
std::vector<Finding> examine(const Facts& facts);

/// Postfix, if it could be looked at.
const PostfixFacts* usable_postfix(const Facts& facts);
/// Whether Postfix gets nothing but digests of keys from us, and needs no DNSSEC of its own.
bool only_pins(const PostfixFacts& postfix);

/// `text` as one word for a shell.
std::string shell_word(std::string_view text);

/// "postconf -e 'NAME = VALUE'", for the directory that was looked at.
std::string set_parameter(const PostfixFacts& postfix, std::string_view name,
                          std::string_view value);
/// The command that takes a parameter out of main.cf.
std::string drop_parameter(const PostfixFacts& postfix, std::string_view name);

/// The command that gives an option of sealane.conf this value, whether the file has it or not.
std::string set_option(const Facts& facts, std::string_view name, std::string_view value);

}  // namespace sealane::doctor

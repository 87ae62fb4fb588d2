// SPDX-License-Identifier: Apache-2.0
// Whether Postfix asks the daemon at all, first, and in words that both understand.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "cli/doctor/checks.h"
#include "server/postfix_reply.h"

namespace sealane::doctor {
namespace {

using MaybeVerdict = std::optional<Verdict>;

/// From here on Postfix knows the attributes of TLSRPT at all.
constexpr Version kKnowsTlsrpt{3, 10, 0};
/// From here on it also keeps to the mail hosts that a policy names.
constexpr Version kEnforcesPatterns{3, 10, 5};

constexpr std::string_view kTables = "smtp_tls_policy_maps";

const PolicyTable* our_table(const PostfixFacts& postfix) {
  const auto found = std::find_if(postfix.tables.begin(), postfix.tables.end(),
                                  [](const PolicyTable& table) { return table.is_ours; });
  return found == postfix.tables.end() ? nullptr : &*found;
}

std::string_view best_map_name(const PostfixFacts& postfix) {
  return postfix.version < kEnforcesPatterns ? "postfix" : "postfix-tlsrpt";
}

/// Where Postfix reaches the daemon, as the middle of a table's name; empty if it cannot.
std::string best_address(const Facts& facts, const PostfixFacts& postfix) {
  const std::string queue = std::string(postfix.value("queue_directory")) + "/";
  for (const ListenAddress& listener : facts.config.socketmap) {
    if (!listener.is_unix()) {
      const bool is_any = listener.host == "0.0.0.0" || listener.host == "::";
      const bool is_v6 = listener.host.find(':') != std::string::npos;
      if (is_any) return fmt::format("inet:{}:{}", is_v6 ? "[::1]" : "127.0.0.1", listener.port);
      const std::string host = is_v6 ? "[" + listener.host + "]" : listener.host;
      return fmt::format("inet:{}:{}", host, listener.port);
    }
    if (listener.path.starts_with(queue)) return "unix:" + listener.path.substr(queue.size());
    if (!postfix.any_chroot()) return "unix:" + listener.path;
  }
  return {};
}

std::string our_place(const Facts& facts, const PostfixFacts& postfix) {
  return fmt::format(
      "let sealaned listen where a chrooted Postfix can reach it, in {}: listen = "
      "unix:{}/sealane/policy,mode=0660,group=postfix (sealaned(8), EXAMPLES)",
      facts.config_file, postfix.value("queue_directory"));
}

/// The command that writes these tables.
std::string set_tables(const PostfixFacts& postfix, const std::vector<std::string>& tables) {
  return set_parameter(postfix, kTables, fmt::format("{}", fmt::join(tables, ", ")));
}

std::vector<std::string> texts(const PostfixFacts& postfix) {
  std::vector<std::string> out;
  for (const PolicyTable& table : postfix.tables) out.push_back(table.text);
  return out;
}

/// A verdict that mends our table by writing another one in its place.
Verdict replace_ours(const Facts& facts, const PostfixFacts& postfix, std::string text,
                     std::string_view address, std::string_view map_name) {
  Verdict verdict;
  verdict.text = std::move(text);
  if (address.empty()) {
    verdict.advice = our_place(facts, postfix);
    return verdict;
  }
  std::vector<std::string> tables = texts(postfix);
  for (std::size_t i = 0; i < tables.size(); ++i) {
    if (postfix.tables[i].is_ours) tables[i] = fmt::format("socketmap:{}:{}", address, map_name);
  }
  verdict.commands.push_back(set_tables(postfix, tables));
  return verdict;
}

MaybeVerdict unreadable(const Facts& facts) {
  if (!facts.postfix || facts.postfix->problem.empty()) return std::nullopt;
  const std::string directory =
      facts.postfix->config_dir.empty() ? "/etc/postfix" : facts.postfix->config_dir;
  return Verdict{fmt::format("Postfix cannot be looked at, and most likely does not run: {}.",
                             facts.postfix->problem),
                 {},
                 fmt::format("mend main.cf and master.cf in {}, and try: postfix -c {} check",
                             escape(directory), shell_word(directory))};
}

MaybeVerdict no_map(const Facts& facts) {
  const PostfixFacts* postfix = usable_postfix(facts);
  if (postfix == nullptr || our_table(*postfix) != nullptr) return std::nullopt;
  Verdict verdict;
  verdict.text =
      "smtp_tls_policy_maps does not name Sealane: mail goes out as if no domain published DANE or "
      "MTA-STS.";
  const std::string address = best_address(facts, *postfix);
  if (address.empty()) {
    verdict.advice = our_place(facts, *postfix);
    return verdict;
  }
  std::vector<std::string> tables = texts(*postfix);
  tables.insert(tables.begin(), fmt::format("socketmap:{}:{}", address, best_map_name(*postfix)));
  verdict.commands.push_back(set_tables(*postfix, tables));
  return verdict;
}

MaybeVerdict wrong_name(const Facts& facts) {
  const PostfixFacts* postfix = usable_postfix(facts);
  const PolicyTable* table = postfix == nullptr ? nullptr : our_table(*postfix);
  if (table == nullptr) return std::nullopt;
  const std::optional<Dialect> dialect = dialect_named(table->map_name);
  const bool is_policy = dialect == Dialect::postfix || dialect == Dialect::postfix_tlsrpt ||
                         dialect == Dialect::postfix_pins;
  if (is_policy) return std::nullopt;
  const bool lacks_dane = dialect == Dialect::sendmail_sts;
  return replace_ours(
      facts, *postfix,
      fmt::format("{} asks for the map \"{}\", which {}: {}.", escape(table->text),
                  escape(table->map_name),
                  dialect ? "is not meant for smtp_tls_policy_maps" : "does not exist",
                  lacks_dane ? "mail goes out without the DANE that receivers demand"
                             : "all mail is deferred (4.7.5)"),
      table->address, best_map_name(*postfix));
}

MaybeVerdict wrong_version(const Facts& facts) {
  const PostfixFacts* postfix = usable_postfix(facts);
  const PolicyTable* table = postfix == nullptr ? nullptr : our_table(*postfix);
  if (table == nullptr || !(postfix->version < kKnowsTlsrpt)) return std::nullopt;
  if (dialect_named(table->map_name) != Dialect::postfix_tlsrpt) return std::nullopt;
  return replace_ours(
      facts, *postfix,
      fmt::format("Postfix {} does not know the attributes of the map \"{}\": all mail to domains "
                  "with MTA-STS is deferred (4.7.5).",
                  escape(postfix->value("mail_version")), table->map_name),
      table->address, "postfix");
}

MaybeVerdict plain_map(const Facts& facts) {
  const PostfixFacts* postfix = usable_postfix(facts);
  const PolicyTable* table = postfix == nullptr ? nullptr : our_table(*postfix);
  if (table == nullptr || postfix->version < kEnforcesPatterns) return std::nullopt;
  if (dialect_named(table->map_name) != Dialect::postfix) return std::nullopt;
  return replace_ours(
      facts, *postfix,
      fmt::format("Postfix {} could keep to the mail hosts that an MTA-STS policy names, and "
                  "report by TLSRPT, with the map postfix-tlsrpt; with \"{}\" it does neither.",
                  escape(postfix->value("mail_version")), table->map_name),
      table->address, "postfix-tlsrpt");
}

MaybeVerdict shadowed(const Facts& facts) {
  const PostfixFacts* postfix = usable_postfix(facts);
  const PolicyTable* ours = postfix == nullptr ? nullptr : our_table(*postfix);
  if (ours == nullptr || ours == &postfix->tables.front()) return std::nullopt;
  std::vector<std::string> before;
  std::vector<std::string> others;
  std::vector<std::string> mine;
  for (const PolicyTable& table : postfix->tables) {
    (table.is_ours ? mine : others).push_back(table.text);
    if (&table < ours) before.push_back(escape(table.text));
  }
  Verdict verdict;
  verdict.text = fmt::format(
      "{} answers before Sealane: for the domains in it, mail goes out by that entry, whatever the "
      "receiver demands today.",
      fmt::join(before, ", "));
  mine.insert(mine.end(), others.begin(), others.end());
  verdict.commands.push_back(set_tables(*postfix, mine));
  verdict.advice = "entries that you want to keep go into policy.overrides (sealane override add)";
  return verdict;
}

MaybeVerdict proxied(const Facts& facts) {
  const PostfixFacts* postfix = usable_postfix(facts);
  const PolicyTable* table = postfix == nullptr ? nullptr : our_table(*postfix);
  if (table == nullptr || !table->proxied) return std::nullopt;
  const std::string best = best_address(facts, *postfix);
  return replace_ours(
      facts, *postfix,
      fmt::format("{} goes through proxymap(8), which serves one delivery after the "
                  "other: one slow lookup delays all mail behind it.",
                  escape(table->text)),
      best, table->map_name);
}

/// Our ways for which a condition holds.
template <class Condition>
const Way* find_way(const Facts& facts, Condition condition) {
  const PostfixFacts* postfix = usable_postfix(facts);
  if (postfix == nullptr) return nullptr;
  const auto found = std::find_if(postfix->ways.begin(), postfix->ways.end(), condition);
  return found == postfix->ways.end() ? nullptr : &*found;
}

std::string map_name_of(const PostfixFacts& postfix) { return our_table(postfix)->map_name; }

MaybeVerdict outside_chroot(const Facts& facts) {
  const Way* way = find_way(
      facts, [](const Way& w) { return w.chroot_misses && w.contact != Contact::answered; });
  if (way == nullptr) return std::nullopt;
  return replace_ours(facts, *facts.postfix,
                      fmt::format("{} runs in a chroot, where {} means {}, and there the daemon is "
                                  "not: all mail of it is deferred (4.7.5).",
                                  escape(way->service), escape(way->address), escape(way->path)),
                      best_address(facts, *facts.postfix), map_name_of(*facts.postfix));
}

MaybeVerdict wrong_address(const Facts& facts) {
  const Way* way = find_way(facts, [](const Way& w) {
    const bool is_lost = w.contact == Contact::absent || w.contact == Contact::foreign;
    return !w.is_listener && !w.chroot_misses && is_lost;
  });
  if (way == nullptr) return std::nullopt;
  return replace_ours(
      facts, *facts.postfix,
      fmt::format("Postfix asks at {}, where the daemon does not listen: all mail is "
                  "deferred (4.7.5).",
                  escape(way->address)),
      best_address(facts, *facts.postfix), map_name_of(*facts.postfix));
}

MaybeVerdict denied(const Facts& facts) {
  const Way* way = find_way(facts, [](const Way& w) { return w.contact == Contact::denied; });
  if (way == nullptr) return std::nullopt;
  const std::string_view owner = facts.postfix->value("mail_owner");
  const bool is_socket = way->obstacle == way->path;
  Verdict verdict;
  verdict.text =
      fmt::format("The user {} may not pass {}: {} cannot ask, and all mail is deferred (4.7.5).",
                  escape(owner), escape(way->obstacle), escape(way->service));
  verdict.commands.push_back(
      fmt::format("chgrp {} {}", shell_word(owner), shell_word(way->obstacle)));
  verdict.commands.push_back(
      fmt::format("chmod {} {}", is_socket ? "g+rw" : "g+x", shell_word(way->obstacle)));
  if (is_socket) {
    verdict.advice =
        fmt::format("and for the next start, in {}: listen = unix:{},mode=0660,group={}",
                    facts.config_file, escape(way->path), escape(owner));
  }
  return verdict;
}

MaybeVerdict silent(const Facts& facts) {
  if (!facts.daemon.answered) return std::nullopt;  // daemon-down says it
  const Way* way = find_way(facts, [](const Way& w) {
    const bool is_lost = w.contact == Contact::absent || w.contact == Contact::foreign;
    return w.is_listener && is_lost;
  });
  if (way == nullptr) return std::nullopt;
  return Verdict{fmt::format("The daemon runs, but does not answer at {}, where its configuration "
                             "says that it listens: all mail is deferred (4.7.5).",
                             escape(way->address)),
                 {"systemctl restart sealaned"},
                 ""};
}

constexpr std::array kChecks{
    Check{"postfix-unreadable", Grade::error, unreadable},
    Check{"postfix-no-map", Grade::error, no_map},
    Check{"postfix-map-name", Grade::error, wrong_name},
    Check{"postfix-map-version", Grade::error, wrong_version},
    Check{"postfix-map-address", Grade::error, wrong_address},
    Check{"postfix-map-chroot", Grade::error, outside_chroot},
    Check{"postfix-map-denied", Grade::error, denied},
    Check{"postfix-map-silent", Grade::error, silent},
    Check{"postfix-map-shadowed", Grade::warning, shadowed},
    Check{"postfix-map-proxied", Grade::warning, proxied},
    Check{"postfix-map-plain", Grade::note, plain_map},
};

}  // namespace

std::span<const Check> postfix_map_checks() { return kChecks; }

}  // namespace sealane::doctor

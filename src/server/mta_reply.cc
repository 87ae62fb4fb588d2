// SPDX-License-Identifier: Apache-2.0
#include "server/mta_reply.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "lookup/explanation.h"
#include "server/exim_reply.h"
#include "server/postfix_reply.h"

namespace sealane {

std::string mta_reply(const Decision& decision, Dialect dialect, std::string_view domain_text) {
  if (dialect == Dialect::exim) return exim_reply(decision, domain_text);
  return postfix_reply(decision, dialect, domain_text);
}

std::string_view reply_status(Dialect dialect, std::string_view reply) {
  const std::string_view word = reply.substr(0, reply.find(' '));
  if (dialect != Dialect::exim) return word;
  if (word == "level=temp") return "TEMP";
  return word == "level=none" ? "NOTFOUND" : "OK";
}

std::vector<std::string> dialect_names(Dialect dialect) {
  if (dialect == Dialect::exim) return {std::string(name_of(dialect))};
  return map_names(dialect);
}

std::optional<Dialect> dialect_called(std::string_view name) {
  if (name == name_of(Dialect::exim)) return Dialect::exim;
  return dialect_named(name);
}

std::string known_dialects() {
  std::vector<std::string> all;
  for (const Dialect dialect : kDialects) {
    const std::vector<std::string> names = dialect_names(dialect);
    all.insert(all.end(), names.begin(), names.end());
  }
  return fmt::format("{}", fmt::join(all, ", "));
}

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
// The tables `events` and `dane`: the history of the domains, and what DANE said of them last.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "adapters/store/sqlite_statement.h"
#include "base/result.h"
#include "lookup/policy_store.h"

namespace sealane {

/// What schema 2 adds to schema 1.
inline constexpr char kCreateHistory[] = R"(
CREATE TABLE events (
  id        INTEGER PRIMARY KEY,
  domain    TEXT NOT NULL,
  time      INTEGER NOT NULL,
  kind      TEXT NOT NULL,
  severity  TEXT NOT NULL,
  text      TEXT NOT NULL,
  old_value TEXT NOT NULL,
  new_value TEXT NOT NULL
) STRICT;
CREATE INDEX events_domain ON events (domain, id);
CREATE TABLE dane (
  domain TEXT PRIMARY KEY NOT NULL,
  class  TEXT NOT NULL,
  tlsa   TEXT NOT NULL,
  seen   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
)";

/// Told what row a list has left out and why: "event 7: ...".
using NoteLeftOut = std::function<void(const std::string& what)>;

/// A failed Result without a text: SQLite has it.
class HistoryTables {
 public:
  explicit HistoryTables(sqlite3* connection);
  bool ok() const;

  Result<void> add(const Event& event);
  Result<std::vector<StoredEvent>> list(const std::optional<Domain>& domain, std::size_t limit,
                                        std::uint64_t after, const NoteLeftOut& note);
  Result<void> put_dane(const Domain& domain, const std::optional<DaneMemory>& memory);
  Result<std::vector<std::pair<Domain, DaneMemory>>> walk_dane(const std::string& after,
                                                               std::size_t limit,
                                                               const NoteLeftOut& note);

 private:
  Statement add_, trim_domain_, trim_, list_, list_domain_, put_dane_, erase_dane_, walk_dane_;
};

/// What add() and put_dane() demand: that it can be read again.
Result<void> check_storable(const Event& event);
Result<void> check_storable(const DaneMemory& memory);

}  // namespace sealane

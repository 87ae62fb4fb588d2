// SPDX-License-Identifier: Apache-2.0
#include "adapters/store/history_tables.h"

#include <fmt/format.h>

#include <initializer_list>

#include "base/text.h"

namespace sealane {
namespace {

using Outcome = Statement::Outcome;
using std::chrono::sys_seconds;

constexpr char kEventColumns[] = "id, domain, time, kind, severity, text, old_value, new_value";

Result<void> run(Statement& statement) {
  const Outcome outcome = statement.step();
  statement.restart();
  if (outcome == Outcome::failed) return failure("");
  return {};
}

std::optional<DaneClass> dane_class_named(std::string_view name) {
  for (const DaneClass value :
       {DaneClass::d0, DaneClass::all, DaneClass::mix, DaneClass::enc, DaneClass::err,
        DaneClass::ins, DaneClass::fail, DaneClass::null, DaneClass::nx}) {
    if (name_of(value) == name) return value;
  }
  return std::nullopt;
}

sys_seconds time_at(const Statement& statement, int column) {
  return sys_seconds(std::chrono::seconds(statement.number(column)));
}

Result<StoredEvent> read_event(const Statement& row) {
  const std::int64_t id = row.number(0);
  auto domain = Domain::parse(row.text(1));
  const auto kind = event_kind_named(row.text(3));
  const auto severity = severity_named(row.text(4));
  if (!domain || !kind || !severity) {
    return failure("event {}: \"{}\" \"{}\" \"{}\" is not known", id, escape(row.text(1)),
                   escape(row.text(3)), escape(row.text(4)));
  }
  Event event{time_at(row, 2), std::move(*domain), *kind,      *severity,
              row.text(5),     row.text(6),        row.text(7)};
  return StoredEvent{static_cast<std::uint64_t>(id), std::move(event)};
}

Result<std::pair<Domain, DaneMemory>> read_dane(const Statement& row) {
  auto domain = Domain::parse(row.text(0));
  const auto value = dane_class_named(row.text(1));
  if (!domain || !value) {
    return failure("dane \"{}\": class \"{}\"", escape(row.text(0)), escape(row.text(1)));
  }
  DaneMemory memory{*value, row.text(2), time_at(row, 3)};
  return std::pair(std::move(*domain), std::move(memory));
}

/// The next `limit` rows of a statement whose values are bound.  A row that cannot be read (a later
/// release wrote it, or a hand) must not hide those behind it.
template <class Row>
Result<std::vector<Row>> read_some(Statement& statement, std::size_t limit,
                                   Result<Row> (*read)(const Statement&), const NoteLeftOut& note) {
  std::vector<Row> rows;
  Outcome outcome = Outcome::row;
  while (rows.size() < limit) {
    outcome = statement.step();
    if (outcome != Outcome::row) break;
    if (Result<Row> row = read(statement)) {
      rows.push_back(std::move(*row));
    } else {
      note(row.error());
    }
  }
  statement.restart();
  if (outcome == Outcome::failed) return failure("");
  return rows;
}

}  // namespace

HistoryTables::HistoryTables(sqlite3* connection)
    : add_(connection,
           "INSERT INTO events (domain, time, kind, severity, text, old_value, new_value) "
           "VALUES (?,?,?,?,?,?,?)"),
      trim_domain_(connection,
                   fmt::format("DELETE FROM events WHERE domain = ? AND id <= (SELECT id FROM "
                               "events WHERE domain = ? ORDER BY id DESC LIMIT 1 OFFSET {})",
                               kMaxEventsPerDomain)),
      trim_(connection, fmt::format("DELETE FROM events WHERE id <= (SELECT max(id) FROM events) "
                                    "- {}",
                                    kMaxEvents)),
      list_(connection,
            fmt::format("SELECT {} FROM events WHERE id > ? ORDER BY id", kEventColumns)),
      list_domain_(connection,
                   fmt::format("SELECT {} FROM events WHERE domain = ? AND id > ? ORDER BY id",
                               kEventColumns)),
      put_dane_(connection,
                "INSERT OR REPLACE INTO dane (domain, class, tlsa, seen) VALUES (?,?,?,?)"),
      erase_dane_(connection, "DELETE FROM dane WHERE domain = ?"),
      walk_dane_(connection,
                 "SELECT domain, class, tlsa, seen FROM dane WHERE domain > ? ORDER BY domain") {}

bool HistoryTables::ok() const {
  return add_.ok() && trim_domain_.ok() && trim_.ok() && list_.ok() && list_domain_.ok() &&
         put_dane_.ok() && erase_dane_.ok() && walk_dane_.ok();
}

Result<void> HistoryTables::add(const Event& event) {
  const std::string& domain = event.domain.text();
  add_.restart().bind(domain).bind(event.time).bind(name_of(event.kind));
  add_.bind(name_of(event.severity)).bind(event.text).bind(event.old_value).bind(event.new_value);
  if (auto added = run(add_); !added) return added;
  trim_domain_.restart().bind(domain).bind(domain);
  if (auto trimmed = run(trim_domain_); !trimmed) return trimmed;
  return run(trim_.restart());
}

Result<std::vector<StoredEvent>> HistoryTables::list(const std::optional<Domain>& domain,
                                                     std::size_t limit, std::uint64_t after,
                                                     const NoteLeftOut& note) {
  Statement& list = domain ? list_domain_ : list_;
  list.restart();
  if (domain) list.bind(domain->text());
  list.bind(static_cast<std::int64_t>(after));
  return read_some<StoredEvent>(list, limit, read_event, note);
}

Result<void> HistoryTables::put_dane(const Domain& domain,
                                     const std::optional<DaneMemory>& memory) {
  if (!memory) return run(erase_dane_.restart().bind(domain.text()));
  put_dane_.restart().bind(domain.text()).bind(name_of(memory->value));
  return run(put_dane_.bind(memory->tlsa).bind(memory->seen));
}

Result<std::vector<std::pair<Domain, DaneMemory>>> HistoryTables::walk_dane(
    const std::string& after, std::size_t limit, const NoteLeftOut& note) {
  walk_dane_.restart().bind(after);
  return read_some<std::pair<Domain, DaneMemory>>(walk_dane_, limit, read_dane, note);
}

Result<void> check_storable(const Event& event) {
  for (const std::string* text : {&event.text, &event.old_value, &event.new_value}) {
    if (text->size() > kMaxEventText) return failure("an event's text has {} octets", text->size());
  }
  return {};
}

Result<void> check_storable(const DaneMemory& memory) {
  if (memory.tlsa.size() <= kMaxEventText) return {};
  return failure("a TLSA set's text has {} octets", memory.tlsa.size());
}

}  // namespace sealane

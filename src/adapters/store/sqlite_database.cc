// SPDX-License-Identifier: Apache-2.0
#include "adapters/store/sqlite_database.h"

#include <sqlite3.h>

#include <filesystem>
#include <system_error>

#include "adapters/store/history_tables.h"
#include "adapters/store/row.h"
#include "adapters/store/sqlite_statement.h"
#include "adapters/store/store_file.h"
#include "base/log.h"
#include "base/text.h"

namespace sealane {
namespace {

using Outcome = Statement::Outcome;

/// How long another process may hold the write lock before we give up.
constexpr std::chrono::milliseconds kBusyTime{5000};
/// Octets of the longest value: what is longer in a damaged file is an error, not an allocation.
constexpr int kMaxValue = 1024 * 1024;
/// Rows that cannot be read and are remembered, so that each is logged once.
constexpr std::size_t kMaxUnreadable = 1000;

const std::string kSelect = std::string("SELECT ") + kColumns + " FROM domains ";

std::string quoted_list(Statement& names) {
  std::string list;
  while (names.step() == Outcome::row)
    list += (list.empty() ? "" : ", ") + escape(names.text(0), 64);
  return list;
}

}  // namespace

class Database::Statements {
 public:
  explicit Statements(sqlite3* connection)
      : find(connection, kSelect + "WHERE domain = ?"),
        put(connection, std::string("INSERT OR REPLACE INTO domains (") + kColumns +
                            ") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"),
        erase(connection, "DELETE FROM domains WHERE domain = ?"),
        walk(connection, kSelect + "WHERE domain > ? ORDER BY domain"),
        stats(connection,
              "SELECT (SELECT count(*) FROM domains), "
              "(SELECT count(*) FROM domains WHERE policy_expires IS NOT NULL)"),
        history(connection) {}

  bool ok() const {
    return find.ok() && put.ok() && erase.ok() && walk.ok() && stats.ok() && history.ok();
  }

  Statement find, put, erase, walk, stats;
  HistoryTables history;
};

Database::Database(std::string path)
    : path_(std::move(path)), connection_(nullptr, sqlite3_close_v2) {}
Database::~Database() = default;

tl::unexpected<std::string> Database::failed() const {
  return failure("store {}: {}", path_, sqlite3_errmsg(connection_.get()));
}

Result<void> Database::execute(const char* sql) {
  if (sqlite3_exec(connection_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) return failed();
  return {};
}

std::optional<StoreRefusal> Database::connect() {
  sqlite3* connection = nullptr;
  const int opened = sqlite3_open_v2(path_.c_str(), &connection,
                                     SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  connection_.reset(connection);
  if (opened != SQLITE_OK) return StoreRefusal{failed().value(), false};
  sqlite3_busy_timeout(connection, static_cast<int>(kBusyTime.count()));
  sqlite3_limit(connection, SQLITE_LIMIT_LENGTH, kMaxValue);
  sqlite3_db_config(connection, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(connection, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  return std::nullopt;
}

/// For a failure of SQLite's while the file is being opened.
StoreRefusal Database::unreadable() const {
  const int code = sqlite3_errcode(connection_.get());
  const bool bad_file = code == SQLITE_CORRUPT || code == SQLITE_NOTADB || code == SQLITE_ERROR;
  return {failed().value(), bad_file};
}

std::optional<std::int64_t> Database::schema() const {
  Statement version(connection_.get(), "PRAGMA user_version");
  if (!version.ok() || version.step() != Outcome::row) return std::nullopt;
  return version.number(0);
}

std::optional<StoreRefusal> Database::check_schema() const {
  const auto version = schema();
  if (!version) return unreadable();
  if (*version > kStoreSchema) {
    return StoreRefusal{fmt::format("store {}: written by a newer version (schema {}; this one "
                                    "knows {})",
                                    path_, *version, kStoreSchema),
                        true};
  }
  if (*version < 1) {
    return StoreRefusal{fmt::format("store {}: unknown schema {}", path_, *version), true};
  }
  const std::string ours = std::string("'domains', 'domains_policy_expires'") +
                           (*version > 1 ? ", 'events', 'events_domain', 'dane'" : "");
  Statement foreign(connection_.get(),
                    "SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' "
                    "AND name NOT IN (" +
                        ours + ")");
  if (!foreign.ok()) return unreadable();
  const std::string names = quoted_list(foreign);
  if (!names.empty()) {
    return StoreRefusal{fmt::format("store {}: holds what is not ours: {}", path_, names), true};
  }
  Statement columns(connection_.get(), kSelect);
  if (!columns.ok()) return unreadable();
  return std::nullopt;
}

std::optional<StoreRefusal> Database::use_wal() {
  Statement wal(connection_.get(), "PRAGMA journal_mode = WAL");
  if (!wal.ok() || wal.step() != Outcome::row) return unreadable();
  if (wal.text(0) != "wal") {
    return StoreRefusal{fmt::format("store {}: SQLite cannot use WAL there", path_), false};
  }
  wal.restart();
  if (!execute("PRAGMA synchronous = FULL; PRAGMA cell_size_check = ON")) return unreadable();
  return std::nullopt;
}

std::optional<StoreRefusal> Database::check_integrity() {
  Statement check(connection_.get(), "PRAGMA quick_check(1)");
  if (!check.ok() || check.step() != Outcome::row) return unreadable();
  const std::string verdict = check.text(0);
  if (verdict == "ok") return check_order();
  return StoreRefusal{fmt::format("store {}: damaged: {}", path_, escape(verdict)), true};
}

/// quick_check does not compare keys, and a row out of order is a row that find() does not find:
/// "nothing known" where a policy is kept.
std::optional<StoreRefusal> Database::check_order() {
  Statement walk(connection_.get(), "SELECT domain FROM domains NOT INDEXED");
  if (!walk.ok()) return unreadable();
  std::string before;
  for (;;) {
    const Outcome outcome = walk.step();
    if (outcome == Outcome::done) return std::nullopt;
    if (outcome != Outcome::row) return unreadable();
    std::string name = walk.text(0);
    if (name <= before) {
      return StoreRefusal{fmt::format("store {}: damaged: {} stands behind {}", path_, escape(name),
                                      escape(before)),
                          true};
    }
    before = std::move(name);
  }
}

/// All or nothing, and after the checks: a damaged file stays as it is.
std::optional<StoreRefusal> Database::migrate() {
  const auto migrated = transaction([this]() -> Result<void> {
    const auto version = schema();
    if (!version) return failed();
    if (*version == kStoreSchema) return {};  // another process was faster
    const std::string sql =
        fmt::format("{} PRAGMA user_version = {}", kCreateHistory, kStoreSchema);
    return execute(sql.c_str());
  });
  if (!migrated) return StoreRefusal{migrated.error(), false};
  log(Severity::notice, "store_migrated",
      {{"store", path_}, {"schema", std::to_string(kStoreSchema)}});
  return std::nullopt;
}

tl::expected<std::unique_ptr<Database>, StoreRefusal> Database::open(const std::string& path,
                                                                     std::uintmax_t check_size) {
  const auto kind = inspect_store_file(path);
  if (!kind) return tl::unexpected(kind.error());
  if (*kind == FileKind::missing) {
    const auto created = create_store_file(path, [](const std::string& draft) -> Result<void> {
      Database database(draft);
      if (auto refusal = database.connect()) return tl::unexpected(refusal->text);
      const std::string sql =
          fmt::format("BEGIN; {} {} PRAGMA application_id = {}; PRAGMA user_version = {}; COMMIT",
                      kCreateTables, kCreateHistory, kStoreApplicationId, kStoreSchema);
      return database.execute(sql.c_str());
    });
    if (!created) return tl::unexpected(StoreRefusal{created.error(), false});
    log(Severity::notice, "store_created", {{"store", path}});
  }
  std::error_code error;
  const bool to_be_checked = std::filesystem::file_size(path, error) <= check_size;
  if (to_be_checked) read_ahead(path);
  std::unique_ptr<Database> database(new Database(path));
  if (auto refusal = database->connect()) return tl::unexpected(*refusal);
  if (auto refusal = database->check_schema()) return tl::unexpected(*refusal);
  if (auto refusal = database->use_wal()) return tl::unexpected(*refusal);
  if (to_be_checked) {
    if (auto refusal = database->check_integrity()) return tl::unexpected(*refusal);
  } else {
    log(Severity::notice, "store_not_checked",
        {{"store", path}, {"note", "large; damage would show when it is read"}});
  }
  if (database->schema() != kStoreSchema) {
    if (auto refusal = database->migrate()) return tl::unexpected(*refusal);
  }
  database->statements_ = std::make_unique<Statements>(database->connection_.get());
  if (!database->statements_->ok()) {
    return tl::unexpected(StoreRefusal{database->failed().value(), true});
  }
  return database;
}

Result<std::optional<StsMemory>> Database::find(const Domain& domain) {
  Statement& find = statements_->find.restart();
  const Outcome outcome = find.bind(domain.text()).step();
  if (outcome == Outcome::failed) return failed();
  if (outcome == Outcome::done) return std::optional<StsMemory>();
  auto row = read_row(find);
  find.restart();
  if (!row) return failure("store {}: {}", path_, row.error());
  return std::optional<StsMemory>(std::move(row->second));
}

Result<void> Database::put(const Domain& domain, const StsMemory& memory) {
  Statement& put = statements_->put.restart();
  bind_row(put, domain, memory);
  const Outcome outcome = put.step();
  put.restart();
  if (outcome != Outcome::done) return failed();
  unreadable_.erase(domain.text());
  return {};
}

Result<void> Database::erase(const Domain& domain) {
  Statement& erase = statements_->erase.restart();
  const Outcome outcome = erase.bind(domain.text()).step();
  erase.restart();
  if (outcome != Outcome::done) return failed();
  unreadable_.erase(domain.text());
  return {};
}

void Database::note_unreadable(const std::string& name, const std::string& why) {
  if (unreadable_.size() >= kMaxUnreadable || !unreadable_.insert(escape(name)).second) return;
  log(Severity::error, "store_row_unreadable",
      {{"store", path_}, {"cause", why}, {"rows", std::to_string(unreadable_.size())}});
}

Result<std::vector<std::pair<Domain, StsMemory>>> Database::walk(const std::string& after,
                                                                 std::size_t limit) {
  std::vector<std::pair<Domain, StsMemory>> rows;
  Statement& walk = statements_->walk.restart();
  walk.bind(after);
  Outcome outcome = Outcome::row;
  while (rows.size() < limit) {
    outcome = walk.step();
    if (outcome != Outcome::row) break;
    // A row that cannot be read must not hide those behind it.
    auto row = read_row(walk);
    if (row) {
      rows.push_back(std::move(*row));
    } else {
      note_unreadable(walk.text(0), row.error());
    }
  }
  walk.restart();
  if (outcome == Outcome::failed) return failed();
  return rows;
}

Result<StoreStats> Database::stats() {
  Statement& stats = statements_->stats.restart();
  if (stats.step() != Outcome::row) return failed();
  const StoreStats counted{static_cast<std::uint64_t>(stats.number(0)),
                           static_cast<std::uint64_t>(stats.number(1))};
  stats.restart();
  return counted;
}

template <class T>
Result<T> Database::explained(Result<T> result) const {
  if (result) return result;
  if (result.error().empty()) return failed();
  return failure("store {}: {}", path_, result.error());
}

Result<void> Database::add_event(const Event& event) {
  return explained(statements_->history.add(event));
}

Result<std::vector<StoredEvent>> Database::events(const std::optional<Domain>& domain,
                                                  std::size_t limit, std::uint64_t after) {
  return explained(statements_->history.list(
      domain, limit, after, [this](const std::string& what) { note_unreadable(what, what); }));
}

Result<void> Database::put_dane(const Domain& domain, const std::optional<DaneMemory>& memory) {
  return explained(statements_->history.put_dane(domain, memory));
}

Result<std::vector<std::pair<Domain, DaneMemory>>> Database::walk_dane(const std::string& after,
                                                                       std::size_t limit) {
  return explained(statements_->history.walk_dane(
      after, limit, [this](const std::string& what) { note_unreadable(what, what); }));
}

Result<void> Database::transaction(const std::function<Result<void>()>& work) {
  if (auto begun = execute("BEGIN IMMEDIATE"); !begun) return begun;
  auto done = work();
  if (done) done = execute("COMMIT");
  // After some errors SQLite has rolled back by itself.
  if (!done && sqlite3_get_autocommit(connection_.get()) == 0) {
    if (auto undone = execute("ROLLBACK"); !undone) return undone;
  }
  return done;
}

}  // namespace sealane

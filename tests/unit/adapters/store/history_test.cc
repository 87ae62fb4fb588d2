// SPDX-License-Identifier: Apache-2.0
// Events, the DANE memory, and files of an older schema.
#include <sqlite3.h>

#include <fstream>

#include "adapters/store/sqlite_database.h"
#include "store_bench.h"

namespace sealane {
namespace {

/// A file as schema 1 was written: what `sqlite3 FILE .dump` says of one with two domains.
constexpr char kSchema1[] = R"(
BEGIN TRANSACTION;
CREATE TABLE domains (
  domain            TEXT PRIMARY KEY NOT NULL,
  policy_id         TEXT,
  policy_body       TEXT,
  policy_fetched    INTEGER,
  policy_expires    INTEGER,
  txt_id            TEXT NOT NULL,
  none_since        INTEGER,
  txt_error_first   INTEGER NOT NULL,
  txt_error_count   INTEGER NOT NULL,
  txt_error_last    INTEGER NOT NULL,
  txt_error_text    TEXT NOT NULL,
  fetch_error_first INTEGER NOT NULL,
  fetch_error_count INTEGER NOT NULL,
  fetch_error_last  INTEGER NOT NULL,
  fetch_error_text  TEXT NOT NULL,
  failed_id         TEXT NOT NULL,
  asked             INTEGER
) STRICT, WITHOUT ROWID;
INSERT INTO domains VALUES('a.example','20260101','version: STSv1',1790000000,1790604800,'20260101',
  NULL,0,0,0,'',1790001000,2,1790002000,'404','',1790000000);
INSERT INTO domains VALUES('b.example',NULL,NULL,NULL,NULL,'',1790000000,1790000000,3,1790001800,
  'SERVFAIL',0,0,0,'','',1790001800);
CREATE INDEX domains_policy_expires ON domains (policy_expires) WHERE policy_expires IS NOT NULL;
PRAGMA application_id = 1397050446;
PRAGMA user_version = 1;
COMMIT;
)";

void sql(const std::string& path, const std::string& text) {
  sqlite3* connection = nullptr;
  REQUIRE(sqlite3_open(path.c_str(), &connection) == SQLITE_OK);
  char* error = nullptr;
  sqlite3_exec(connection, text.c_str(), nullptr, nullptr, &error);
  REQUIRE_MESSAGE(error == nullptr, error);
  sqlite3_close(connection);
}

std::string content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

Event event_of(const std::string& name, int number, EventKind kind = EventKind::policy_weaker) {
  return Event{at(1790000000 + number), domain(name),  kind,
               Severity::warning,       "a \"cause\"", "mode enforce",
               std::to_string(number)};
}

std::vector<StoredEvent> list(Opened& store, std::optional<Domain> name, std::size_t limit = 1000,
                              std::uint64_t after = 0) {
  return run(store.store->events(std::move(name), limit, after), store.io).value();
}

TEST_CASE("a file of schema 1 is brought up to date and keeps all it knows") {
  const Folder folder;
  const std::string path = folder.path("s");
  sql(path, kSchema1);
  for (int start = 0; start < 2; ++start) {
    Opened store(path);
    const auto a = store.find(domain("a.example"));
    REQUIRE(a->has_value());
    CHECK((*a)->policy ==
          StoredPolicy{"20260101", "version: STSv1", at(1790000000), at(1790604800)});
    CHECK((*a)->fetch_errors == ErrorStreak{at(1790001000), 2, at(1790002000), "404"});
    CHECK((*a)->asked == at(1790000000));
    const auto b = store.find(domain("b.example"));
    REQUIRE(b->has_value());
    CHECK_FALSE((*b)->policy.has_value());
    CHECK((*b)->txt_errors.count == 3);
    CHECK(run(store.store->add_event(event_of("a.example", start)), store.io).has_value());
    CHECK(list(store, std::nullopt).size() == static_cast<std::size_t>(start) + 1);
  }
  CHECK(content(path).substr(60, 4) == std::string("\0\0\0\2", 4));  // user_version
}

TEST_CASE("a migrated file has the schema of a new one") {
  const Folder folder;
  const auto schema = [](const std::string& path) {
    std::string all;
    sqlite3* connection = nullptr;
    REQUIRE(sqlite3_open(path.c_str(), &connection) == SQLITE_OK);
    const auto add = [](void* text, int, char** values, char**) {
      *static_cast<std::string*>(text) += std::string(values[0]) + ": " + values[1] + "\n";
      return 0;
    };
    sqlite3_exec(connection, "SELECT name, sql FROM sqlite_schema ORDER BY name", add, &all,
                 nullptr);
    sqlite3_close(connection);
    return all;
  };
  sql(folder.path("old"), kSchema1);
  Opened(folder.path("old"));
  Opened(folder.path("new"));
  CHECK(schema(folder.path("old")) == schema(folder.path("new")));
}

TEST_CASE("an old file that is damaged, foreign or read-only is refused and stays as it is") {
  const Folder folder;
  const std::string path = folder.path("s");
  sql(path, std::string(kSchema1) + "CREATE TABLE events (id INTEGER);");
  const std::string before = content(path);
  CHECK(refusal(path).starts_with("store PATH: holds what is not ours: events"));
  CHECK(content(path) == before);

  const std::string damaged = folder.path("d");
  sql(damaged, kSchema1);
  std::string bytes = content(damaged);
  bytes.replace(4096, 16, std::string(16, '\xa5'));
  std::ofstream(damaged, std::ios::binary) << bytes;
  CHECK(refusal(damaged) != "opened");
  CHECK(content(damaged).substr(60, 4) == std::string("\0\0\0\1", 4));
}

TEST_CASE("events come back in order, of one domain or of all, page by page") {
  const Folder folder;
  Opened store(folder.path("s"));
  for (int i = 0; i < 6; ++i) {
    const std::string name = i % 2 == 0 ? "a.example" : "b.example";
    CHECK(run(store.store->add_event(event_of(name, i)), store.io).has_value());
  }
  const auto all = list(store, std::nullopt);
  REQUIRE(all.size() == 6);
  CHECK(all[0].event == event_of("a.example", 0));
  CHECK(all[5].event == event_of("b.example", 5));
  const auto ours = list(store, domain("a.example"));
  REQUIRE(ours.size() == 3);
  CHECK(ours[2].event == event_of("a.example", 4));
  const auto page = list(store, std::nullopt, 2, all[1].id);
  REQUIRE(page.size() == 2);
  CHECK(page[0].event == event_of("a.example", 2));
  CHECK(list(store, domain("c.example")).empty());
}

TEST_CASE("every kind of event can be stored") {
  const Folder folder;
  Opened store(folder.path("s"));
  for (std::size_t i = 0; i < kEventKinds; ++i) {
    const Event event = event_of("a.example", 1, static_cast<EventKind>(i));
    CHECK(event_kind_named(name_of(event.kind)) == event.kind);
    CHECK(run(store.store->add_event(event), store.io).has_value());
  }
  CHECK(list(store, std::nullopt).size() == kEventKinds);
  CHECK_FALSE(event_kind_named("?").has_value());
}

TEST_CASE("of one domain 50 events are kept, the newest") {
  const Folder folder;
  Opened store(folder.path("s"));
  CHECK(run(store.store->add_event(event_of("b.example", 0)), store.io).has_value());
  for (int i = 0; i < 60; ++i) {
    CHECK(run(store.store->add_event(event_of("a.example", i)), store.io).has_value());
  }
  const auto kept = list(store, domain("a.example"));
  REQUIRE(kept.size() == kMaxEventsPerDomain);
  CHECK(kept.front().event == event_of("a.example", 10));
  CHECK(list(store, domain("b.example")).size() == 1);
}

TEST_CASE("of all domains as many events are kept as the limit says, the newest") {
  const Folder folder;
  const std::string path = folder.path("s");
  Opened{path};
  sql(path,
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) "
      "INSERT INTO events SELECT i, 'd' || i || '.example', i, 'policy-new', 'info', '', '', '' "
      "FROM n");
  Opened store(path);
  CHECK(list(store, std::nullopt, 200'000).size() == kMaxEvents);
  CHECK(run(store.store->add_event(event_of("a.example", 1)), store.io).has_value());
  const auto kept = list(store, std::nullopt, 200'000);
  CHECK(kept.size() == kMaxEvents);
  CHECK(kept.front().id == 2);
  CHECK(kept.back().event == event_of("a.example", 1));
}

TEST_CASE("an event with too long a text is refused before anything is written") {
  const Folder folder;
  Opened store(folder.path("s"));
  Event event = event_of("a.example", 1);
  event.text = std::string(kMaxEventText, 'x');
  CHECK(run(store.store->add_event(event), store.io).has_value());
  event.text += 'x';
  CHECK_FALSE(run(store.store->add_event(event), store.io).has_value());
  CHECK(list(store, std::nullopt).size() == 1);
}

TEST_CASE("what DANE said is kept, replaced and forgotten") {
  const Folder folder;
  const std::string path = folder.path("s");
  const DaneMemory all{DaneClass::all, "mx.a.example 3 1 1 ab", at(5)};
  const DaneMemory mix{DaneClass::mix, "", at(6)};
  {
    Opened store(path);
    CHECK(run(store.store->put_dane(domain("a.example"), mix), store.io).has_value());
    CHECK(run(store.store->put_dane(domain("a.example"), all), store.io).has_value());
    CHECK(run(store.store->put_dane(domain("b.example"), mix), store.io).has_value());
    CHECK(run(store.store->put_dane(domain("c.example"), mix), store.io).has_value());
    CHECK(run(store.store->put_dane(domain("b.example"), std::nullopt), store.io).has_value());
  }
  Opened store(path);
  const auto rows = run(store.store->walk_dane("", 10), store.io).value();
  REQUIRE(rows.size() == 2);
  CHECK(rows[0] == std::pair(domain("a.example"), all));
  CHECK(run(store.store->walk_dane("a.example", 10), store.io)->size() == 1);
  CHECK(run(store.store->walk_dane("", 1), store.io)->size() == 1);
}

TEST_CASE("a history goes on behind what it cannot read: a later release may have written it") {
  const Folder folder;
  const std::string path = folder.path("s");
  {
    Opened store(path);
    for (int i = 1; i <= 4; ++i) {
      CHECK(run(store.store->add_event(event_of("a.example", i)), store.io).has_value());
      const DaneMemory memory{DaneClass::all, "", at(i)};
      const Domain name = domain("d" + std::to_string(i) + ".example");
      CHECK(run(store.store->put_dane(name, memory), store.io).has_value());
    }
  }
  sql(path, "UPDATE events SET kind = 'of-tomorrow' WHERE id = 2");
  sql(path, "UPDATE dane SET class = 'D-TOMORROW' WHERE domain IN ('d1.example', 'd3.example')");
  const auto opened = Database::open(path);
  REQUIRE(opened.has_value());
  Database& store = **opened;
  const auto events = store.events(std::nullopt, 2, 0);
  REQUIRE(events.has_value());
  REQUIRE(events->size() == 2);
  CHECK(events->back().id == 3);
  CHECK(store.events(domain("a.example"), 10, 0)->size() == 3);
  CHECK(store.walk_dane("", 1)->front().first == domain("d2.example"));
  CHECK(store.walk_dane("", 10)->size() == 2);
  CHECK(store.unreadable_rows() == 3);
}

}  // namespace
}  // namespace sealane

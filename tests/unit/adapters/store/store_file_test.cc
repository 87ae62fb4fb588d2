// SPDX-License-Identifier: Apache-2.0
// Files that are not what they should be.
#include <sqlite3.h>
#include <sys/stat.h>

#include <fstream>
#include <random>

#include "adapters/store/sqlite_database.h"
#include "store_bench.h"

namespace sealane {
namespace {

constexpr char kAdvice[] = "; --reset-store moves it aside and forgets every policy";

/// A store of so many domains.
std::string filled(const Folder& folder, int rows = 200) {
  const std::string path = folder.path("s");
  Opened store(path);
  for (int i = 0; i < rows; ++i) {
    boost::asio::co_spawn(
        store.io, store.store->put(name_of_row(i), memory_of(i)),
        [](std::exception_ptr error, Result<void> put) { REQUIRE((!error && put.has_value())); });
  }
  store.io.run();
  return path;
}

std::string read_all(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

void write_all(const std::string& path, std::string_view content) {
  std::ofstream(path, std::ios::binary) << content;
}

void sql(const std::string& path, const std::string& text) {
  sqlite3* connection = nullptr;
  REQUIRE(sqlite3_open(path.c_str(), &connection) == SQLITE_OK);
  char* error = nullptr;
  sqlite3_exec(connection, text.c_str(), nullptr, nullptr, &error);
  REQUIRE_MESSAGE(error == nullptr, error);
  sqlite3_close(connection);
}

TEST_CASE("the location names a file") {
  const auto refused = [](const std::string& location) {
    const auto store = SqliteStore::open({location, false});
    return store ? std::string("opened") : store.error();
  };
  CHECK(refused("redis:x") == "store \"redis:x\": expected sqlite:PATH");
  CHECK(refused("sqlite:") == "store \"sqlite:\": expected sqlite:PATH");
  CHECK(refused("") == "store \"\": expected sqlite:PATH");
  CHECK(refused("sqlite:/nowhere/s") ==
        "store /nowhere/s: folder /nowhere: No such file or directory");
}

TEST_CASE("a directory or a device is refused and not moved") {
  const Folder folder;
  CHECK(::mkdir(folder.path("s").c_str(), 0700) == 0);
  CHECK(refusal(folder.path("s"), true) == "store PATH: a directory");
  CHECK(::mkfifo(folder.path("fifo").c_str(), 0600) == 0);
  CHECK(refusal(folder.path("fifo"), true) == "store PATH: not a regular file");
  CHECK(folder.names() == std::vector<std::string>{"fifo", "s"});
}

TEST_CASE("a file that is empty, random or of another kind is refused untouched") {
  const Folder folder;
  const std::string path = folder.path("s");
  const auto refused = [&](const std::string& content) {
    write_all(path, content);
    const std::string text = refusal(path);
    CHECK(read_all(path) == content);
    CHECK(folder.names() == std::vector<std::string>{"s"});
    return text;
  };
  const std::string not_sqlite =
      std::string("store PATH: not a SQLite database, or its header is damaged") + kAdvice;
  CHECK(refused("") ==
        std::string("store PATH: the file is empty, which a store never is") + kAdvice);
  CHECK(refused("hello") == not_sqlite);
  std::mt19937 random(3);
  std::string noise(20000, ' ');
  for (char& c : noise) c = static_cast<char>(random());
  CHECK(refused(noise) == not_sqlite);
}

TEST_CASE("the database of another program is refused untouched") {
  const Folder folder;
  const std::string path = folder.path("s");
  sql(path, "CREATE TABLE mail (id INTEGER); INSERT INTO mail VALUES (1)");
  std::string before = read_all(path);
  CHECK(refusal(path) ==
        std::string("store PATH: a database of another program (application_id 0x0)") + kAdvice);
  CHECK(read_all(path) == before);
  sql(path, "PRAGMA application_id = 252006674");
  CHECK(refusal(path) ==
        std::string("store PATH: a database of another program (application_id 0xf055112)") +
            kAdvice);
}

TEST_CASE("another schema is refused") {
  const Folder folder;
  const std::string path = filled(folder, 1);
  sql(path, "CREATE TABLE mail (id INTEGER)");
  CHECK(refusal(path) == std::string("store PATH: holds what is not ours: mail") + kAdvice);
  sql(path, "DROP TABLE mail; CREATE TRIGGER t AFTER INSERT ON domains BEGIN SELECT 1; END");
  CHECK(refusal(path) == std::string("store PATH: holds what is not ours: t") + kAdvice);
  sql(path, "DROP TRIGGER t; ALTER TABLE domains DROP COLUMN asked");
  CHECK(refusal(path) == std::string("store PATH: no such column: asked") + kAdvice);
  sql(path, "DROP TABLE domains");
  CHECK(refusal(path) == std::string("store PATH: no such table: domains") + kAdvice);
  sql(path, "PRAGMA user_version = 3");
  CHECK(refusal(path) ==
        std::string("store PATH: written by a newer version (schema 3; this one knows 2)") +
            kAdvice);
  sql(path, "PRAGMA user_version = 0");
  CHECK(refusal(path) == std::string("store PATH: unknown schema 0") + kAdvice);
}

TEST_CASE("a truncated or damaged file is refused wherever the damage is") {
  const Folder folder;
  const std::string path = filled(folder);
  const std::string good = read_all(path);
  REQUIRE(good.size() > 40000);
  for (const std::size_t size : {50, 100, 512, 4096, 8192, 20000}) {
    CAPTURE(size);
    write_all(path, good.substr(0, size));
    CHECK(refusal(path).starts_with("store PATH: "));
    CHECK(refusal(path).ends_with(kAdvice));
  }
  write_all(path, good.substr(0, good.size() - 4096));
  CHECK(refusal(path).ends_with(kAdvice));
  for (std::size_t page = 0; page < good.size(); page += 4096) {
    CAPTURE(page);
    std::string bad = good;
    bad.replace(page, 16, std::string(16, '\xa5'));
    write_all(path, bad);
    CHECK(refusal(path).ends_with(kAdvice));
  }
  write_all(path, good);
  CHECK(refusal(path) == "opened");
}

TEST_CASE("in a file too large for the check, damage shows when it is read") {
  const Folder folder;
  const std::string path = filled(folder, 2000);
  std::string bad = read_all(path);
  bad.replace(bad.size() / 4096 / 2 * 4096, 16, std::string(16, '\xa5'));
  write_all(path, bad);
  CHECK(refusal(path).ends_with(kAdvice));
  set_log_level(Severity::alarm);
  const auto database = Database::open(path, bad.size() - 1);
  REQUIRE_MESSAGE(database.has_value(), database.error().text);
  int failed = 0;
  for (int i = 0; i < 2000; ++i) {
    const auto found = (*database)->find(name_of_row(i));
    if (found) CHECK(found->has_value());
    if (!found) ++failed;
  }
  CHECK(failed > 0);
  CHECK(failed < 2000);
}

TEST_CASE("random damage is refused, or shows when it is read, or is a value, but never a crash") {
  const Folder folder;
  const std::string path = filled(folder);
  const std::string good = read_all(path);
  std::mt19937 random(5);
  int opened = 0, errors = 0;
  for (int round = 0; round < 150; ++round) {
    std::string bad = good;
    for (auto changes = 1 + random() % 4; changes > 0; --changes) {
      bad[random() % bad.size()] = static_cast<char>(random());
    }
    for (const auto& name : folder.names()) std::filesystem::remove(folder.path(name));
    write_all(path, bad);
    if (refusal(path) != "opened") continue;
    ++opened;
    Opened store(path);
    for (int i = 0; i < 200; i += 20) {
      if (!store.find(name_of_row(i))) ++errors;
    }
    const auto rows = store.walk("", 1000);
    if (!rows) ++errors;
  }
  MESSAGE("opened " << opened << " of 150 damaged files; " << errors << " reads failed");
}

TEST_CASE("a name out of order, which would hide other rows, is refused") {
  const Folder folder;
  const std::string path = filled(folder, 2000);
  const std::string good = read_all(path);
  int refused = 0, hidden = 0;
  for (int i = 0; i < 2000; i += 50) {
    std::string bad = good;
    const auto at = bad.find(name_of_row(i).text());
    REQUIRE(at != std::string::npos);
    bad[at] = 'z';
    for (const auto& name : folder.names()) std::filesystem::remove(folder.path(name));
    write_all(path, bad);
    if (refusal(path) != "opened") {
      ++refused;
      continue;
    }
    Opened store(path);
    for (int j = 0; j < 2000; j += 10) {
      if (j == i) continue;
      const auto found = store.find(name_of_row(j));
      if (found && !found->has_value()) ++hidden;
    }
  }
  CHECK(refused > 10);  // the others hit a stale copy of the name
  CHECK(hidden == 0);
}

TEST_CASE("a row that we cannot have written is an error that names it") {
  const Folder folder;
  const std::string path = filled(folder, 3);
  const auto after = [&](const std::string& change, const std::string& name) {
    const std::string good = read_all(path);
    sql(path, change);
    std::string text = "found";
    {
      Opened store(path);
      const auto found = store.find(domain(name));
      if (!found) text = found.error().substr(path.size() + 8);
      const auto walked = store.walk("", 10);
      REQUIRE(walked.has_value());
      CHECK(walked->size() == (found ? 3 : 2));
    }
    write_all(path, good);
    return text;
  };
  const std::string row = " WHERE domain = 'n1.example'";
  CHECK(after("UPDATE domains SET asked = -1" + row, "n1.example") ==
        "row \"n1.example\": asked is -1");
  CHECK(after("UPDATE domains SET policy_expires = 9223372036854775807" + row, "n1.example") ==
        "row \"n1.example\": policy_expires is 9223372036854775807");
  CHECK(after("UPDATE domains SET txt_error_count = -1" + row, "n1.example") ==
        "row \"n1.example\": txt_error_count is -1");
  CHECK(after("UPDATE domains SET fetch_error_count = 4294967296" + row, "n1.example") ==
        "row \"n1.example\": fetch_error_count is 4294967296");
  CHECK(after("UPDATE domains SET policy_body = NULL" + row, "n1.example") ==
        "row \"n1.example\": a part of the policy is missing");
  CHECK(after("UPDATE domains SET policy_body = printf('%.*c', 65537, 'x')" + row, "n1.example") ==
        "row \"n1.example\": policy_body has 65537 octets");
  // A name in a form that find() never asks for shows when walking.
  sql(path, "UPDATE domains SET domain = 'N1.example' || char(27)" + row);
  Opened store(path);
  CHECK(store.walk("", 10)->size() == 2);
}

TEST_CASE("a walk goes on behind rows that it cannot read, and each is counted once") {
  const Folder folder;
  const std::string path = filled(folder, 10);
  sql(path, "UPDATE domains SET asked = -1 WHERE domain IN ('n0.example', 'n3.example')");
  sql(path, "UPDATE domains SET policy_body = NULL WHERE domain IN ('n4.example', 'n9.example')");
  const auto opened = Database::open(path);
  REQUIRE(opened.has_value());
  Database& store = **opened;
  const auto names = [&](std::size_t page_size) {
    std::string all, after;
    for (;;) {
      const auto page = store.walk(after, page_size);
      REQUIRE(page.has_value());
      for (const auto& [name, memory] : *page) all += name.text().substr(0, 2) + " ";
      if (page->size() < page_size) return all;
      after = page->back().first.text();
    }
  };
  for (const std::size_t page_size : {1, 2, 3, 4, 100}) {
    CAPTURE(page_size);
    CHECK(names(page_size) == "n1 n2 n5 n6 n7 n8 ");
  }
  CHECK(store.unreadable_rows() == 4);
  CHECK(store.stats()->domains == 10);
  CHECK_FALSE(store.find(domain("n3.example")).has_value());
  CHECK(store.put(domain("n3.example"), memory_of(3)).has_value());
  CHECK(store.erase(domain("n4.example")).has_value());
  CHECK(store.unreadable_rows() == 2);
  CHECK(names(2) == "n1 n2 n3 n5 n6 n7 n8 ");
}

TEST_CASE("--reset-store moves a bad file aside, with its log, and keeps a good one") {
  const Folder folder;
  const std::string path = filled(folder, 3);
  { CHECK(Opened(path, true).stats()->domains == 3); }
  CHECK(folder.names() == std::vector<std::string>{"s"});
  write_all(path, "bad");
  write_all(path + "-wal", "log");
  { CHECK(Opened(path, true).stats()->domains == 0); }
  auto names = folder.names();
  REQUIRE(names.size() == 3);
  CHECK(names[0] == "s");
  CHECK(names[1].starts_with("s.bad-20"));
  CHECK(names[2] == names[1] + "-wal");
  CHECK(read_all(folder.path(names[1])) == "bad");
  CHECK(read_all(folder.path(names[2])) == "log");
  write_all(path, "bad again");
  CHECK(refusal(path, true) == "opened");  // within the same second: another name
  CHECK(folder.names().size() == 4);
}

TEST_CASE("a log without its database is a lost store and not a new one") {
  const Folder folder;
  const std::string path = folder.path("s");
  write_all(path + "-wal", "log");
  CHECK(refusal(path) ==
        std::string("store PATH: missing, although its -wal file is there") + kAdvice);
  CHECK(refusal(path, true) == "opened");
}

}  // namespace
}  // namespace sealane

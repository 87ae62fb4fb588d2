// SPDX-License-Identifier: Apache-2.0
#include "adapters/store/resolver_cache.h"

#include <doctest/doctest.h>
#include <sqlite3.h>

#include <map>

#include "server/temp_dir.h"

using namespace sealane;

namespace {

constexpr char kFields[] =
    R"({"mx": ["*.a.test", "mx.b.test"], "version": "STSv1", "mode": "enforce", "max_age": 86400})";

void execute(const std::string& path, const std::string& sql) {
  sqlite3* file = nullptr;
  REQUIRE(sqlite3_open(path.c_str(), &file) == SQLITE_OK);
  CHECK(sqlite3_exec(file, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(file);
}

std::string row(const std::string& domain, const std::string& fields) {
  return "INSERT INTO sts_policy_cache VALUES ('" + domain + "', 1790000000, 'id7', '" + fields +
         "');";
}

constexpr char kTable[] =
    "CREATE TABLE sts_policy_cache (domain text, ts integer, pol_id text, pol_body text);";

}  // namespace

TEST_CASE("a row of the resolver's cache becomes a policy by our own rules") {
  const auto found = parse_resolver_row("A.test", 1'790'000'000, "id7", kFields);
  REQUIRE(found.has_value());
  CHECK(found->domain.text() == "a.test");
  CHECK(found->policy.id == "id7");
  CHECK(found->policy.body ==
        "version: STSv1\nmode: enforce\nmax_age: 86400\nmx: *.a.test\nmx: mx.b.test\n");
  CHECK(found->policy.fetched.time_since_epoch().count() == 1'790'000'000);
  CHECK(found->policy.expires.time_since_epoch().count() == 1'790'086'400);
  CHECK_FALSE(found->asked.has_value());
  CHECK(found->only_new);
}

TEST_CASE("a row that holds no policy is refused") {
  for (const char* fields :
       {"", "[]", "null", "{}", R"({"version":"STSv1","mode":"enforce","max_age":86400,"mx":[]})",
        R"({"version":"STSv1","mode":"enforce","mx":["a.test"]})",
        R"({"version":"STSv1","mode":"enforce\nmode: none","max_age":1,"mx":["a.test"]})",
        R"({"version":"STSv1","mode":"maybe","max_age":86400,"mx":["a.test"]})",
        R"({"version":"STSv1","mode":"enforce","max_age":86400,"mx":[7]})",
        R"({"version":"STSv1","mode":"enforce","max_age":86400,"mx":["a b\nmode: none"]})"}) {
    CAPTURE(fields);
    const auto found = parse_resolver_row("a.test", 1'790'000'000, "x", fields);
    const bool as_it_says = found && parse_sts_policy(found->policy.body)->mode == StsMode::enforce;
    CHECK((!found.has_value() || as_it_says));
  }
  CHECK_FALSE(parse_resolver_row("a..b", 1'790'000'000, "x", kFields).has_value());
  CHECK_FALSE(parse_resolver_row("a.test", 0, "x", kFields).has_value());
}

TEST_CASE("all rows are handed out, those that hold no policy are named, and the file stays") {
  const TempDir dir;
  const std::string path = dir.file("cache.db");
  execute(path, std::string(kTable) + row("a.test", kFields) + row("b.test", "rubbish") +
                    row("c.test", kFields) + row("\x1b[2J", kFields));
  std::vector<std::string> taken;
  const auto skipped = read_resolver_cache(path, [&](const StsImport& found) {
    taken.push_back(found.domain.text());
    return true;
  });
  REQUIRE(skipped.has_value());
  CHECK(taken == std::vector<std::string>{"a.test", "c.test"});
  REQUIRE(skipped->size() == 2);
  CHECK(skipped->front().find('\x1b') == std::string::npos);
  CHECK(skipped->back() == "b.test: no JSON object");
  int rows = 0;
  CHECK(read_resolver_cache(path, [&](const StsImport&) { return ++rows < 1; }).has_value());
  CHECK(rows == 1);
}

TEST_CASE("a file that is no such cache is an error with its name") {
  const TempDir dir;
  const auto none = [](const StsImport&) { return true; };
  CHECK_FALSE(read_resolver_cache(dir.file("missing"), none).has_value());
  execute(dir.file("other"), "CREATE TABLE x (y);");
  const auto other = read_resolver_cache(dir.file("other"), none);
  REQUIRE_FALSE(other.has_value());
  CHECK(other.error().find("sts_policy_cache") != std::string::npos);
}

// SPDX-License-Identifier: Apache-2.0
// `sealane export` against the real admin API.
#include "cli/export.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "cli/verb_run.h"
#include "server/admin_house.h"

using namespace sealane;
using std::chrono::hours;
using std::chrono::seconds;

namespace {

constexpr char kPolicy[] = "version: STSv1\nmode: enforce\nmx: *.a.test\nmax_age: 604800\n";

VerbRun run_export(const AdminHouse& house, std::vector<std::string> words) {
  words.insert(words.end(), {"--admin", house.address()});
  return run_verb(export_command, words);
}

/// The house's clock stands still in the past: what ends is judged by the machine's own as well.
void keep(AdminHouse& house, const std::string& name, hours left = hours{24 * 365 * 30}) {
  house.inside([&] {
    const auto now = house.clock.wall();
    StsMemory kept;
    kept.policy = StoredPolicy{"id1", kPolicy, now - hours{1}, now + left};
    house.store.kept[domain(name)] = kept;
  });
}

std::string text_of(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

std::size_t files_in(const std::string& directory) {
  const std::filesystem::directory_iterator begin(directory);
  return static_cast<std::size_t>(std::distance(begin, std::filesystem::directory_iterator()));
}

}  // namespace

TEST_CASE("a texthash has one line a policy, and says when it was written and must be again") {
  AdminHouse house;
  keep(house, "a.test");
  keep(house, "b.test", hours{24 * 365 * 20});
  keep(house, "down.test");
  house.inside([&] {
    Decision sts = found(Action::sts);
    sts.patterns = {*MxPattern::parse("*.a.test")};
    house.finder.decisions["b.test"] = sts;
  });
  keep(house, "free.test");
  const VerbRun run = run_export(house, {"--format", "postfix-texthash"});
  CHECK(run.status == 0);
  CHECK(run.err.empty());
  CHECK(run.says("# Written by sealane export at 20"));
  CHECK(run.says("# Write it again before 2046-09-16T14:13:20Z: then the first policy ends.\n"));
  CHECK(run.says("\na.test\tdane-only\n"));
  CHECK(run.says("\nb.test\tsecure match=.a.test servername=hostname\n"));
  CHECK(
      run.says("\n# down.test: by its policy alone, since: down.test: resolver down\n"
               "down.test\tsecure match=.a.test servername=hostname\n"));
  CHECK(run.says(
      "\n# free.test: nothing is demanded now (an override, or the policy has changed)\n"));
  CHECK(run.out.ends_with("\n# End: 3 policies.\n"));
}

TEST_CASE("no reason and no fixed answer can become a line of its own") {
  AdminHouse house;
  keep(house, "a.test");
  keep(house, "b.test");
  house.inside([&] {
    Decision evil = found(Action::temporary);
    evil.reason = "x\nevil.test\tmay\r\n\x1b[2J\xe2\x80\xa8";
    house.finder.decisions["a.test"] = evil;
    Decision fixed = found(Action::fixed);
    fixed.fixed_reply = "  secure match=mx.b.test # no comment";
    house.finder.decisions["b.test"] = fixed;
  });
  const VerbRun run = run_export(house, {"--format", "postfix-texthash"});
  CHECK(run.status == 0);
  CHECK(run.says("since: a.test: x?evil.test?may???[2J???\na.test\tsecure"));
  CHECK(run.says("\nb.test\tsecure match=mx.b.test # no comment\n"));
  CHECK(run.out.find("\nevil.test") == std::string::npos);
}

TEST_CASE("JSON is one object with a line a policy") {
  AdminHouse house;
  keep(house, "a.test");
  keep(house, "b.test");
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"--format", "json"}, std::vector<std::string>{"--json"}}) {
    const VerbRun run = run_export(house, words);
    CHECK(run.status == 0);
    const auto told = boost::json::parse(run.out);
    CHECK(told.at("count").as_int64() == 2);
    CHECK(told.at("first_end").as_string() == "2056-09-13T14:13:20Z");
    CHECK(told.at("policies").as_array().size() == 2);
    CHECK(told.at("policies").at(0).at("domain").as_string() == "a.test");
    CHECK(told.at("policies").at(0).at("mx").at(0).as_string() == "*.a.test");
    CHECK(std::count(run.out.begin(), run.out.end(), '\n') == 4);
  }
}

TEST_CASE("nothing to export is no failure") {
  AdminHouse house;
  const VerbRun table = run_export(house, {"--format", "postfix-texthash"});
  CHECK(table.status == 0);
  CHECK(table.says("# There is no policy.\n"));
  CHECK(table.out.ends_with("# End: 0 policies.\n"));
  const auto told = boost::json::parse(run_export(house, {"--format", "json"}).out);
  CHECK(told.at("count").as_int64() == 0);
  CHECK(told.at("policies").as_array().empty());
}

TEST_CASE(
    "a file appears whole, with the mode that the umask leaves, or that of the one before it") {
  AdminHouse house;
  keep(house, "a.test");
  const TempDir dir;
  std::filesystem::create_directory(dir.file("out"));
  const std::string path = dir.file("out") + "/table";
  for (const auto& [mask, mode] : {std::pair(mode_t{0022}, mode_t{0644}), {0077, 0600}}) {
    const mode_t before = ::umask(mask);
    const VerbRun run = run_export(house, {"--format", "postfix-texthash", "--output", path});
    ::umask(before);
    CHECK(run.status == 0);
    CHECK(run.out.empty());
    CHECK(text_of(path).ends_with("# End: 1 policies.\n"));
    struct stat there {};
    REQUIRE(::stat(path.c_str(), &there) == 0);
    CHECK((there.st_mode & 07777) == mode);
    CHECK(files_in(dir.file("out")) == 1);
    REQUIRE(::chmod(path.c_str(), 0640) == 0);
    CHECK(run_export(house, {"--format", "postfix-texthash", "--output", path}).status == 0);
    REQUIRE(::stat(path.c_str(), &there) == 0);
    CHECK((there.st_mode & 07777) == 0640);
    std::filesystem::remove(path);
  }
}

TEST_CASE("a failure leaves the old file as it was, and nothing beside it") {
  AdminHouse house;
  keep(house, "a.test");
  const TempDir dir;
  std::filesystem::create_directory(dir.file("out"));
  const std::string path = dir.file("out") + "/table";
  std::ofstream(path) << "old\n";
  std::ofstream(dir.file("out") + "/.table.new") << "left of a crash\n";
  house.inside([&] { house.store.broken = true; });
  const std::vector<std::string> words{"--format", "postfix-texthash", "--output", path};
  CHECK(run_export(house, words).status == 3);
  CHECK(text_of(path) == "old\n");
  CHECK(files_in(dir.file("out")) == 1);
  auto nobody = words;
  nobody.insert(nobody.end(), {"--admin", "unix:/nonexistent/x"});
  CHECK(run_verb(export_command, nobody).status == 3);
  CHECK(text_of(path) == "old\n");
  CHECK(files_in(dir.file("out")) == 1);
}

TEST_CASE("what is no plain file is not replaced") {
  AdminHouse house;
  const TempDir dir;
  std::filesystem::create_symlink(dir.file("elsewhere"), dir.file("link"));
  REQUIRE(::mkfifo(dir.file("fifo").c_str(), 0600) == 0);
  for (const std::string& path : {dir.file("link"), dir.file("fifo"), dir.file(""),
                                  dir.file("absent/x"), std::string("/dev/null")}) {
    CAPTURE(path);
    const VerbRun run = run_export(house, {"--format", "json", "--output", path});
    CHECK(run.status == 3);
    CHECK(run.err.starts_with("sealane: "));
  }
  CHECK(std::filesystem::is_symlink(dir.file("link")));
  CHECK(std::filesystem::is_fifo(dir.file("fifo")));
}

TEST_CASE("an export names its format") {
  AdminHouse house;
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{},
                                             {"--format", "hash"},
                                             {"--format", "postfix-texthash", "--json"},
                                             {"--format", "json", "more"},
                                             {"--form", "json"}}) {
    CHECK(run_export(house, words).status == 2);
  }
}

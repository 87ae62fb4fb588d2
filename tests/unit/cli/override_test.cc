// SPDX-License-Identifier: Apache-2.0
// `sealane override`: the text, the file, the verb.
#include "cli/override.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <sstream>
#include <thread>

#include "base/file.h"
#include "cli/file_edit.h"
#include "cli/override_edit.h"
#include "policy/override_file.h"
#include "server/temp_dir.h"

using namespace sealane;

namespace {

constexpr std::string_view kFile =
    "# ours\n"
    "\n"
    "a.example dane=off reason=\"ticket 1\"   # until they are replaced\n"
    "  .B.Example  observe until=2026-01-31 reason=trial\n"
    "# the end";
constexpr std::chrono::sys_seconds kNow{std::chrono::sys_days{std::chrono::year{2026} / 11 / 24}};

struct Outcome {
  int status;
  std::string out;
  std::string err;
};

Outcome run(std::vector<std::string> words) {
  std::ostringstream out;
  std::ostringstream err;
  const int status = override_command(words, kNow, out, err);
  return {status, out.str(), err.str()};
}

std::string text_in(const std::string& path) { return read_file(path, kMaxOverridesFile).value(); }

}  // namespace

TEST_CASE("a line gets back the quotes that the shell took") {
  const std::vector<std::string> words{".example.net", "dane=off", "reason=ticket 4711"};
  CHECK(override_line(words) == ".example.net dane=off reason=\"ticket 4711\"");
  const std::vector<std::string> plain{"a.example", "observe", "reason=#1"};
  CHECK(override_line(plain) == "a.example observe reason=\"#1\"");
  const std::vector<std::string> quotes{"a.example", "exim=level=secure ignore=\"x\"", "reason=y"};
  CHECK(override_line(quotes) == "a.example exim='level=secure ignore=\"x\"' reason=y");
}

TEST_CASE("a rule is appended, and all other lines stay") {
  const auto added = add_override(kFile, "c.example sts=off reason=x", "F");
  REQUIRE(added.has_value());
  CHECK(added->text == std::string(kFile) + "\nc.example sts=off reason=x\n");
  CHECK(added->line == 6);
  CHECK(added->place == "c.example");
  CHECK(add_override("", "c.example sts=off reason=x", "F")->line == 1);
}

TEST_CASE("a rule that the daemon would refuse is not added, and its errors are named") {
  const auto refused = [](std::string_view line) {
    const auto added = add_override(kFile, line, "F");
    REQUIRE_FALSE(added.has_value());
    return added.error();
  };
  CHECK(refused("c.example dane=never").find("F:6: \"dane=never\": write dane=off") == 0);
  CHECK(refused("c.example dane=never").find("F:6: \"c.example\" has no reason") !=
        std::string::npos);
  CHECK(refused("A.EXAMPLE observe reason=x") ==
        "F:6: \"a.example\" has a rule in line 3 already; keep one");
  CHECK(refused("# c.example observe reason=x").find("there is no rule") == 0);
  CHECK(refused("c.example observe reason=x\nd.example observe reason=x") == "a rule is one line");
  CHECK(refused("c.example observe reason=\x1b[31m").find("control character") !=
        std::string::npos);
  CHECK(refused("c.example observe reason=\xff").find("no UTF-8") != std::string::npos);
  CHECK(refused("").find("there is no rule") == 0);
}

TEST_CASE("a file with errors is left alone, and they are named by line") {
  const auto added = add_override("x\na.example nonsense\n", "c.example observe reason=x", "F");
  REQUIRE_FALSE(added.has_value());
  CHECK(added.error().find("F:2: \"nonsense\" is unknown") != std::string::npos);
  CHECK_FALSE(remove_override("a.example nonsense\n", "a.example", "F").has_value());
}

TEST_CASE("a rule is removed by its place, written in any way") {
  const auto removed = remove_override(kFile, ".b.EXAMPLE.", "F");
  REQUIRE(removed.has_value());
  CHECK(removed->text ==
        "# ours\n\na.example dane=off reason=\"ticket 1\"   # until they are replaced\n# the end");
  CHECK(removed->line == 4);
  CHECK(removed->rule == ".b.example observe until=2026-01-31 reason=\"trial\"");
  CHECK_FALSE(remove_override(kFile, "b.example", "F").has_value());
  CHECK_FALSE(remove_override(kFile, "not a name", "F").has_value());
  CHECK(remove_override("a.example observe reason=x", "a.example", "F")->text.empty());
}

TEST_CASE("adding and removing gives the old text back, line ends of other systems too") {
  const std::string old = "# a\r\na.example observe reason=x\r\n";
  const auto added = add_override(old, "c.example sts=off reason=y", "F");
  REQUIRE(added.has_value());
  CHECK(remove_override(added->text, "c.example", "F")->text == old);
}

TEST_CASE("a file keeps its mode, and a new one is readable") {
  const TempDir dir;
  const std::string path = dir.write("overrides", "old");
  ::chmod(path.c_str(), 0640);
  REQUIRE(edit_file(path, 100, [](std::string_view) { return std::string("new"); }).has_value());
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0640);
  CHECK(text_in(path) == "new");
  REQUIRE(edit_file(dir.file("other"), 100, [](std::string_view) {
            return std::string("x");
          }).has_value());
  REQUIRE(::stat(dir.file("other").c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0644);
}

TEST_CASE("an edit that fails leaves the file as it was, and nothing beside it") {
  const TempDir dir;
  const std::string path = dir.write("overrides", "old");
  const auto edited =
      edit_file(path, 100, [](std::string_view) -> Result<std::string> { return failure("no"); });
  CHECK(edited.error() == "no");
  CHECK_FALSE(
      edit_file(path, 100, [](std::string_view) { return std::string(101, 'x'); }).has_value());
  CHECK(text_in(path) == "old");
  CHECK_FALSE(std::filesystem::exists(dir.file(".overrides.new")));
}

TEST_CASE("what is no plain file is refused, and where a link points to stays untouched") {
  const TempDir dir;
  const std::string target = dir.write("target", "precious");
  REQUIRE(::symlink(target.c_str(), dir.file("link").c_str()) == 0);
  REQUIRE(::mkfifo(dir.file("fifo").c_str(), 0600) == 0);
  const TextEdit edit = [](std::string_view) { return std::string("new"); };
  CHECK(edit_file(dir.file("link"), 100, edit).error().find("symbolic link") != std::string::npos);
  CHECK_FALSE(edit_file(dir.file("fifo"), 100, edit).has_value());
  CHECK_FALSE(edit_file(dir.file("absent/file"), 100, edit).has_value());
  CHECK_FALSE(edit_file(dir.file(""), 100, edit).has_value());
  CHECK_FALSE(edit_file(dir.file("."), 100, edit).has_value());
  // A link planted where the new text is written is not followed either.
  REQUIRE(::symlink(target.c_str(), dir.file(".plain.new").c_str()) == 0);
  CHECK(edit_file(dir.file("plain"), 100, edit).has_value());
  CHECK(text_in(target) == "precious");
  CHECK(text_in(dir.file("plain")) == "new");
}

TEST_CASE("writers at the same time lose no rule") {
  const TempDir dir;
  const std::string path = dir.file("overrides");
  constexpr int kRules = 25;
  std::vector<std::thread> writers;
  for (const char* name : {"a", "b", "c", "d"}) {
    writers.emplace_back([&path, name] {
      for (int i = 0; i < kRules; ++i) {
        run({"add", fmt::format("{}{}.example", name, i), "observe", "reason=x", "--file", path});
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  CHECK(parse_overrides(text_in(path)).value().rules().size() == 4 * kRules);
}

TEST_CASE("the verb adds, lists and removes") {
  const TempDir dir;
  const std::string path = dir.write("overrides", std::string(kFile));
  const Outcome added =
      run({"add", "C.example", "sts=off", "reason=their policy is wrong", "--file", path});
  CHECK(added.status == kOverrideDone);
  CHECK(added.out.find(":6: added c.example sts=off reason=\"their policy is wrong\"\n") !=
        std::string::npos);
  CHECK(added.out.find("systemctl reload sealaned") != std::string::npos);
  const Outcome listed = run({"list", "--file", path});
  CHECK(listed.status == kOverrideDone);
  CHECK(listed.out ==
        "PLACE       ACTION    UNTIL              REASON\n"
        "a.example   dane=off  -                  ticket 1\n"
        ".b.example  observe   2026-01-31 (over)  trial\n"
        "c.example   sts=off   -                  their policy is wrong\n");
  CHECK(run({"remove", "c.example", "--file", path}).status == kOverrideDone);
  CHECK(text_in(path) == std::string(kFile) + "\n");
}

TEST_CASE("a list for programs has every part of a rule") {
  const TempDir dir;
  const std::string path = dir.write(
      "overrides",
      "a.example postfix=may exim=\"level=may\" until=2999-01-31T12:00Z reason=x\n"
      ".b.example dane=only reason=y\nc.example observe sts=off until=2020-01-01 reason=z\n");
  const auto root = boost::json::parse(run({"list", "--json", "--file", path}).out).as_object();
  const auto& rules = root.at("overrides").as_array();
  REQUIRE(rules.size() == 3);
  const auto& first = rules[0].as_object();
  CHECK(first.at("place") == "a.example");
  CHECK(first.at("line") == 1);
  CHECK(first.at("postfix") == "may");
  CHECK(first.at("exim") == "level=may");
  CHECK(first.at("until") == "2999-01-31T12:00:00Z");
  CHECK(first.at("expired") == false);
  CHECK(rules[1].as_object().at("dane") == "only");
  CHECK(rules[1].as_object().if_contains("until") == nullptr);
  const auto& last = rules[2].as_object();
  CHECK(last.at("sts") == "off");
  CHECK(last.at("observe") == true);
  CHECK(last.at("expired") == true);
  CHECK(last.at("until") == "2020-01-01");
}

TEST_CASE("the file is that of the configuration, unless one is named") {
  const TempDir dir;
  const std::string path = dir.write("overrides", std::string(kFile));
  const std::string config = dir.write("sealane.conf", "[policy]\noverrides = " + path + "\n");
  CHECK(run({"list", "--config", config}).out.find("a.example") != std::string::npos);
  const Outcome none = run({"list", "--config", dir.write("empty.conf", "")});
  CHECK(none.status == kOverrideNoFile);
  CHECK(none.err.find("no policy.overrides") != std::string::npos);
  CHECK(run({"list", "--config", dir.file("absent.conf")}).status == kOverrideNoFile);
  CHECK(run({"list", "--file", dir.file("absent")}).status == kOverrideNoFile);
}

TEST_CASE("what is refused, and what is wrong usage, are told apart") {
  const TempDir dir;
  const std::string path = dir.write("overrides", std::string(kFile));
  CHECK(run({"add", "a.example", "observe", "reason=x", "--file", path}).status ==
        kOverrideRefused);
  CHECK(run({"remove", "z.example", "--file", path}).status == kOverrideRefused);
  CHECK(run({"list", "--file", dir.write("bad", "nonsense\n")}).status == kOverrideRefused);
  CHECK(run({}).status == kOverrideUsage);
  CHECK(run({"add", "a.example", "--file", path}).status == kOverrideUsage);
  CHECK(run({"remove", "a", "b", "--file", path}).status == kOverrideUsage);
  CHECK(run({"list", "--nonsense"}).status == kOverrideUsage);
  CHECK(run({"list", "--file", path, "--config", path}).status == kOverrideUsage);
  CHECK(text_in(path) == kFile);
}

TEST_CASE("nothing that a terminal would obey comes out of a file") {
  const TempDir dir;
  const std::string path =
      dir.write("overrides", "a.example observe reason=\"\xe2\x80\xae right to left \xc2\x9b\"\n");
  for (const char c : run({"list", "--file", path}).out) {
    CHECK((c == '\n' || (c >= ' ' && c <= '~')));
  }
  const Outcome bad = run({"list", "--file", dir.write("bad", "\x1b[31mred\n")});
  CHECK(bad.err.find('\x1b') == std::string::npos);
}

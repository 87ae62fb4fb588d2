// SPDX-License-Identifier: Apache-2.0
#include "cli/lint.h"

#include <doctest/doctest.h>

#include <boost/json.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

using namespace sealane;
namespace json = boost::json;

namespace {

struct Run {
  int status;
  std::string out;
  std::string err;
};

Run lint(const std::vector<std::string>& args, const std::string& input = {}) {
  std::istringstream in(input);
  std::ostringstream out;
  std::ostringstream err;
  const int status = lint_command(args, in, out, err);
  return {status, out.str(), err.str()};
}

const std::string kPolicy =
    "version: STSv1\nmode: enforce\nmx: MX.example.net\nmx: *.example.org\nmax_age: 604800\n";
const std::string kGood = "3 1 1 " + std::string(64, 'a');
const std::string kStronger = "3 1 2 " + std::string(128, 'b');

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// A file in a folder of its own that goes away with it.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& content) {
    std::string pattern = std::filesystem::temp_directory_path() / "sealane-lint-XXXXXX";
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    folder_ = pattern;
    std::ofstream(path(), std::ios::binary) << content;
  }
  ~TemporaryFile() { std::filesystem::remove_all(folder_); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  std::string path() const { return folder_ / "policy.txt"; }
  std::string folder() const { return folder_; }

 private:
  std::filesystem::path folder_;
};

}  // namespace

TEST_CASE("a valid policy from a file exits with 0 and one line") {
  const TemporaryFile file(kPolicy);
  const Run run = lint({"sts-policy", file.path()});
  CHECK(run.status == 0);
  CHECK(run.out == file.path() + ": valid (mode enforce, max_age 604800 s, 2 mx)\n");
  CHECK(run.err.empty());
}

TEST_CASE("the JSON of a policy has its values and its findings") {
  const Run run = lint({"--json", "sts-policy", "-"}, kPolicy + "\nfoo: bar\n");
  CHECK(run.status == 0);
  CHECK(run.out == R"({"valid":true,"policy":{"mode":"enforce","max_age":604800,)"
                   R"("mx":["mx.example.net","*.example.org"]},"findings":[)"
                   R"({"line":6,"severity":"warning","code":"blank-line",)"
                   R"("text":"A blank line is not allowed."},)"
                   R"({"line":7,"severity":"note","code":"unknown-field",)"
                   R"("text":"The unknown field \"foo\" is ignored."}]})"
                   "\n");
}

TEST_CASE("an invalid policy exits with 1 and its JSON has no policy") {
  const Run run = lint({"sts-policy", "-", "--json"}, "version: STSv1\nmode: live\n");
  CHECK(run.status == 1);
  const json::value root = json::parse(run.out);
  CHECK(root.at("valid") == json::value(false));
  CHECK_FALSE(root.as_object().contains("policy"));
  CHECK(root.at("findings").as_array().size() == 2);
}

TEST_CASE("findings stand in aligned lines before the verdict") {
  const Run run = lint({"sts-policy", "-"}, "version: STSv1\nmode: live\nfoo: bar\nmax_age: 86400");
  CHECK(run.status == 1);
  CHECK(run.out ==
        "stdin:2: error:   The mode is \"live\", not enforce, testing or none. [bad-mode]\n"
        "stdin:3: note:    The unknown field \"foo\" is ignored. [unknown-field]\n"
        "stdin:4: note:    The last line has no line end. [no-final-newline]\n"
        "stdin: not valid\n");
}

TEST_CASE("a policy of 64 KiB is read whole and a longer one is called too large") {
  std::string body = kPolicy + "foo: ";
  body += std::string(65536 - body.size(), 'a');
  CHECK(lint({"sts-policy", "-"}, body).status == 0);
  const Run run = lint({"sts-policy", "-"}, body + "a");
  CHECK(run.status == 1);
  CHECK(contains(run.out, "[too-large]"));
}

TEST_CASE("a file that cannot be read exits with 3 and says why") {
  const TemporaryFile file("");
  const Run missing = lint({"sts-policy", file.folder() + "/nothing"});
  CHECK(missing.status == 3);
  CHECK(missing.out.empty());
  CHECK(contains(missing.err, "No such file"));
  const Run folder = lint({"sts-policy", file.folder(), "--json"});
  CHECK(folder.status == 3);
  CHECK(contains(folder.err, "directory"));
}

TEST_CASE("a record is judged with its id") {
  const Run good = lint({"sts-record", "v=STSv1; id=20260101;"});
  CHECK(good.status == 0);
  CHECK(good.out == "record: valid (id 20260101)\n");
  CHECK(lint({"sts-record", "v=STSv1; id=1", "--json"}).out ==
        "{\"valid\":true,\"id\":\"1\",\"findings\":[]}\n");
  const Run bad = lint({"sts-record", "v=STSv1; id=2026-01-01", "--json"});
  CHECK(bad.status == 1);
  const json::value root = json::parse(bad.out);
  CHECK_FALSE(root.as_object().contains("id"));
  CHECK(root.at("findings").at(0).at("code") == "bad-id");
  CHECK(root.at("findings").at(0).at("line") == 1);
}

TEST_CASE("TLSA records are valid if every one is usable") {
  const Run good = lint({"tlsa", kGood});
  CHECK(good.status == 0);
  CHECK(good.out ==
        "record:1: usable   3 1 1 aaaaaaaaaaaaaaaa... (DANE-EE SPKI SHA2-256)\n"
        "record: valid (1 usable)\n");
  const Run mixed = lint({"tlsa", kGood, "0 1 1 " + std::string(64, 'a')});
  CHECK(mixed.status == 1);
  CHECK(contains(mixed.out, "record:2: unusable 0 1 1 aaaa"));
  CHECK(contains(mixed.out, "record:2: error:   The record is not usable: usage 0 (PKIX)"));
  CHECK(contains(mixed.out, "record: not valid\n"));
}

TEST_CASE("the JSON of TLSA records keeps their order, unreadable ones included") {
  const Run run = lint({"tlsa", "--json", "3 1 1 zz", kGood, "3 1 1 00"});
  CHECK(run.status == 1);
  const json::value root = json::parse(run.out);
  CHECK(root.at("valid") == json::value(false));
  const json::array& records = root.at("records").as_array();
  REQUIRE(records.size() == 3);
  CHECK(records[0].at("usable") == json::value(false));
  CHECK(records[0].at("why") == "the data is no even number of hexadecimal digits");
  CHECK(records[1] == json::value{{"usable", true}, {"why", ""}});
  CHECK(records[2].at("why") == "1 octets of data, SHA2-256 has 32");
  CHECK(root.at("findings").at(0).at("line") == 1);
  CHECK(root.at("findings").at(1).at("line") == 3);
}

TEST_CASE("a weaker digest beside a stronger one is remarked on but no mistake") {
  const Run run = lint({"tlsa", kGood, kStronger, "--json"});
  CHECK(run.status == 0);
  const json::value root = json::parse(run.out);
  CHECK(root.at("records").at(0).at("usable") == json::value(true));
  CHECK(root.at("findings").at(0).at("code") == "weaker-digest");
  CHECK(root.at("findings").at(0).at("severity") == "warning");
}

TEST_CASE("a record that breaks with every new certificate is remarked on") {
  const Run run = lint({"tlsa", "3 0 1 " + std::string(64, 'a')});
  CHECK(run.status == 0);
  CHECK(contains(run.out, "[certificate-digest]"));
}

TEST_CASE("wrong arguments exit with 2, show the usage and say nothing on the output") {
  const std::vector<std::vector<std::string>> wrong{{},
                                                    {"--json"},
                                                    {"mx"},
                                                    {"tlsa"},
                                                    {"sts-policy"},
                                                    {"sts-policy", "a", "b"},
                                                    {"sts-record"},
                                                    {"sts-record", "a", "b"},
                                                    {"--yaml", "tlsa", kGood}};
  for (const auto& args : wrong) {
    const Run run = lint(args);
    CHECK(run.status == 2);
    CHECK(run.out.empty());
    CHECK(contains(run.err, "usage: sealane lint"));
  }
}

TEST_CASE("help is no error") {
  const Run run = lint({"--help"});
  CHECK(run.status == 0);
  CHECK(contains(run.out, "sts-policy FILE|-"));
}

TEST_CASE("nothing foreign reaches the terminal unescaped") {
  const std::string esc = "\x1b]0;x\x07";
  const std::vector<Run> runs{
      lint({"sts-policy", "-"}, esc + "\nmode: \xc3\xa9" + "\nmx: " + esc + "\nv\xff: x\n"),
      lint({"sts-policy", "/nonexistent/" + esc}),
      lint({"sts-record", "v=STSv1; id=" + esc}),
      lint({"tlsa", esc + " 1 1 00"}),
      lint({esc}),
      lint({"-" + esc}),
  };
  for (const Run& run : runs) {
    CHECK(run.status != 0);
    for (char c : run.out + run.err) CHECK((c == '\n' || (c >= ' ' && c <= '~')));
  }
}

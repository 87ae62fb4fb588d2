// SPDX-License-Identifier: Apache-2.0
// What may be printed to a terminal, and the pieces around it.
#include <doctest/doctest.h>

#include <sstream>

#include "cli/progress.h"
#include "cli/reply_reader.h"
#include "cli/terminal.h"
#include "cli/verb_options.h"

using namespace sealane;
using std::chrono::seconds;

TEST_CASE("text in any script is shown as it is") {
  for (const char* text : {"", "plain ~ text",
                           "b\xc3\xbc"
                           "cher.test",
                           "\xd0\xbf\xd0\xbe\xd1\x87\xd1\x82\xd0\xb0", "\xe4\xbd\xa0\xe5\xa5\xbd",
                           "\xe0\xa4\xa8\xe0\xa4\xae", "\xf0\x9f\x93\xa7", "a\\x"}) {
    CHECK(for_terminal(text) == text);
  }
}

TEST_CASE("a span of time is told by its two largest units") {
  CHECK(span_text(seconds{0}) == "0 s");
  CHECK(span_text(seconds{119}) == "119 s");
  CHECK(span_text(seconds{120}) == "2 min");
  CHECK(span_text(seconds{3599}) == "59 min");
  CHECK(span_text(seconds{3600}) == "1 h");
  CHECK(span_text(seconds{3661}) == "1 h 1 min");
  CHECK(span_text(seconds{86400}) == "1 d");
  CHECK(span_text(seconds{167 * 3600}) == "6 d 23 h");
  CHECK(span_text(seconds{-90}) == "-90 s");
}

TEST_CASE("what a terminal might obey, and what pretends to be other text, is shown as octets") {
  struct Row {
    const char* text;
    const char* shown;
  };
  for (const Row& row : std::initializer_list<Row>{
           {"\x1b[2J", "\\x1b[2J"},
           {"a\nb\tc\r\x7f", "a\\x0ab\\x09c\\x0d\\x7f"},
           {"\xc2\x9b"
            "2J",
            "\\xc2\\x9b2J"},  // CSI of eight bits
           {"\xe2\x80\xae"
            "moc.elpmaxe",
            "\\xe2\\x80\\xaemoc.elpmaxe"},  // right-to-left override
           {"\xe2\x81\xa6x\xe2\x81\xa9", "\\xe2\\x81\\xa6x\\xe2\\x81\\xa9"},  // isolates
           {"\xd8\x9c", "\\xd8\\x9c"},                                        // Arabic letter mark
           {"a\xe2\x80\x8b"
            "b",
            "a\\xe2\\x80\\x8bb"},                         // zero width
           {"\xe2\x80\xa8", "\\xe2\\x80\\xa8"},           // line separator
           {"\xef\xbb\xbf", "\\xef\\xbb\\xbf"},           // byte order mark
           {"\xee\x80\x80", "\\xee\\x80\\x80"},           // private use
           {"\xf3\xa0\x81\x81", "\\xf3\\xa0\\x81\\x81"},  // tags
           {"\xff", "\\xff"},
           {"\xc3", "\\xc3"},
           {"\xc3(", "\\xc3("},
           {"\xed\xa0\x80", "\\xed\\xa0\\x80"},  // half a surrogate
           {"\xc0\x9b", "\\xc0\\x9b"},           // overlong ESC
           {"\xf5\x80\x80\x80", "\\xf5\\x80\\x80\\x80"},
       }) {
    CAPTURE(row.shown);
    CHECK(for_terminal(row.text) == row.shown);
  }
  CHECK(for_terminal(std::string_view("a\0b", 3)) == "a\\x00b");
}

TEST_CASE("what is too long is cut between characters, and says so") {
  CHECK(for_terminal("abc", 3) == "abc");
  CHECK(for_terminal("abcd", 3) == "abc... (4 octets in all)");
  CHECK(for_terminal("ab\xc3\xbc", 3) == "ab... (4 octets in all)");
  const std::string huge(64 * 1024, '\x1b');
  CHECK(for_terminal(huge).size() < 10'000);
}

TEST_CASE("colours are there only when they are wanted") {
  CHECK(Paint(false)(Tone::bad, "x") == "x");
  CHECK(Paint(true)(Tone::bad, "x") == "\x1b[31mx\x1b[0m");
}

TEST_CASE("a span of time is a number and a unit") {
  CHECK(parse_span("90") == seconds{90});
  CHECK(parse_span("90s") == seconds{90});
  CHECK(parse_span("30m") == seconds{1'800});
  CHECK(parse_span("12h") == seconds{43'200});
  CHECK(parse_span("7d") == seconds{604'800});
  CHECK(parse_span("2w") == seconds{1'209'600});
  for (const char* wrong :
       {"", "d", "-1d", "1y", "1 d", "1.5h", "99999999999999999999s", "9999999999w"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_span(wrong).has_value());
  }
}

TEST_CASE("the options of a verb, its operands, and what is wrong with them") {
  VerbOptions options;
  bool force = false;
  std::optional<std::string> mode;
  options.flag("force", force).text("mode", mode);
  const std::vector<std::string> words{"a", "--mode=x", "--json", "--", "--b"};
  const VerbUsage usage{"verb", "Usage: verb\n"};
  std::ostringstream out;
  std::ostringstream err;
  CHECK_FALSE(options.read(words, 1, 2, usage, out, err).has_value());
  CHECK(options.operands == std::vector<std::string>{"a", "--b"});
  CHECK(mode == "x");
  CHECK(options.as_json);
  CHECK_FALSE(force);
  for (const std::vector<std::string>& wrong : std::vector<std::vector<std::string>>{
           {}, {"a", "b", "c"}, {"a", "--forc"}, {"a", "--mode"}, {"a", "--json=1"}, {"--x"}}) {
    VerbOptions others;
    others.flag("force", force).text("mode", mode);
    std::ostringstream told;
    CHECK(others.read(wrong, 1, 2, usage, out, told) == kWrongUsage);
    CHECK(told.str().starts_with("sealane verb: "));
    CHECK(told.str().ends_with(usage.text));
  }
  CHECK((out.str() + err.str()).empty());
  for (const char* help : {"--help", "-h"}) {
    VerbOptions asked;
    out.str("");
    const std::vector<std::string> asking{help};
    CHECK(asked.read(asking, 1, 2, usage, out, err) == kFine);
    CHECK(out.str() == usage.text);
    CHECK(err.str().empty());
  }
}

TEST_CASE("a progress bar is drawn on a terminal only") {
  CHECK(bar_of(0, 4, 8) == "[........]");
  CHECK(bar_of(1, 4, 8) == "[##......]");
  CHECK(bar_of(9, 4, 8) == "[########]");
  CHECK(bar_of(0, 0, 2) == "[##]");
  std::istringstream in;
  std::ostringstream out;
  std::ostringstream err;
  Console console{in, out, err};
  { Progress(console, 2).show(1, "x"); }
  CHECK(err.str().empty());
  console.err_is_terminal = true;
  { Progress(console, 2).show(1, "found 1"); }
  CHECK(err.str().find("1/2  found 1") != std::string::npos);
}

TEST_CASE("a response is read in pieces of any size, chunked, counted or neither") {
  struct Row {
    std::string octets;
    std::string body;
  };
  for (const Row& row : std::initializer_list<Row>{
           {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0A\r\n0123456789\r\n"
            "0\r\n\r\n",
            "abc0123456789"},
           {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", "abc"},
           {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", "x"},
           {"HTTP/1.1 200 OK\r\n\r\nto the end", "to the end"}}) {
    for (const std::size_t step : {std::size_t{1}, std::size_t{7}, row.octets.size()}) {
      AdminReplyReader reader;
      for (std::size_t at = 0; at < row.octets.size(); at += step) {
        CHECK(reader.take(std::string_view(row.octets).substr(at, step)));
      }
      CHECK(reader.status() == 200);
      CHECK(reader.body() == row.body);
      CHECK(reader.end());
    }
  }
}

TEST_CASE("a response that is cut short, or none at all, is known for what it is") {
  const auto whole = [](std::string_view octets) {
    AdminReplyReader reader;
    return reader.take(octets) && reader.end();
  };
  const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  CHECK_FALSE(whole(""));
  CHECK_FALSE(whole("HTTP/1.1 200 OK\r\n"));
  CHECK_FALSE(whole(chunked));
  CHECK_FALSE(whole(chunked + "3\r\nabc\r\n"));
  CHECK_FALSE(whole(chunked + "3\r\nab"));
  CHECK_FALSE(whole(chunked + "3\r\nabcd\r\n0\r\n\r\n"));
  CHECK_FALSE(whole(chunked + "zz\r\n"));
  CHECK_FALSE(whole(chunked + "ffffffffffffffff\r\n"));
  CHECK_FALSE(whole("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc"));
  CHECK_FALSE(whole("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabc"));
  CHECK_FALSE(whole("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"));
  CHECK_FALSE(whole("SSH-2.0-x\r\n\r\n"));
  CHECK_FALSE(whole("HTTP/1.1 200 OK\r\n" + std::string(20'000, 'a')));
}

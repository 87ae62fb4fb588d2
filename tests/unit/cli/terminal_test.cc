// SPDX-License-Identifier: Apache-2.0
#include "cli/terminal.h"

#include <doctest/doctest.h>

using namespace sealane;
using namespace std::chrono_literals;

TEST_CASE("a span of time is told by its two largest units") {
  CHECK(span_text(0s) == "0 s");
  CHECK(span_text(119s) == "119 s");
  CHECK(span_text(120s) == "2 min");
  CHECK(span_text(3599s) == "59 min");
  CHECK(span_text(1h) == "1 h");
  CHECK(span_text(1h + 61s) == "1 h 1 min");
  CHECK(span_text(24h) == "1 d");
  CHECK(span_text(167h) == "6 d 23 h");
  CHECK(span_text(-90s) == "-90 s");
  CHECK(span_text(31557600s) == "365 d 6 h");
}

TEST_CASE("text for a terminal is printable ASCII, and bounded") {
  CHECK(for_terminal("a\x1b[31m\xe2\x80\xae\n") == "a\\x1b[31m\\xe2\\x80\\xae\\x0a");
  CHECK(for_terminal("\\x1b is what it was") == "\\x1b is what it was");
  CHECK(for_terminal("abcdef", 6) == "abcdef");
  CHECK(for_terminal("abcdefg", 6) == "abcdef... (7 octets in all)");
}

TEST_CASE("without colours text stays as it is") {
  CHECK(Paint(false)(Tone::bad, "x") == "x");
  CHECK(Paint(true)(Tone::bad, "x") == "\x1b[31mx\x1b[0m");
  CHECK(Paint(true)(Tone::plain, "x") == "x");
  CHECK(Paint(true)(Tone::bad, "") == "");
}

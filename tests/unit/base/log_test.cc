// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <string>

#include "piped_errors.h"

using namespace sealane;

namespace {

constexpr std::size_t kLines = 3000;  // of 48 octets: more than a pipe holds

void log_many() {
  for (std::size_t i = 0; i < kLines; ++i) {
    log(Severity::info, "many", {{"text", std::string(20, 'x')}});
  }
}

std::size_t lines_in(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

}  // namespace

TEST_CASE("a log line is logfmt and foreign text cannot forge another field or line") {
  CHECK(log_line(Severity::warning, "fetch", {{"domain", "a.test"}}) ==
        "level=warning event=fetch domain=a.test");
  CHECK(log_line(Severity::info, "x", {{"cause", "a b\" c=d\n"}}) ==
        "level=info event=x cause=\"a b\\\" c=d\\x0a\"");
  CHECK(log_line(Severity::info, "x", {{"empty", ""}}) == "level=info event=x empty=\"\"");
}

TEST_CASE("severities are read by the names they are written with") {
  CHECK(severity_named("alarm") == Severity::alarm);
  CHECK(severity_named("debug") == Severity::debug);
  CHECK_FALSE(severity_named("Debug"));
}

TEST_CASE("a line fits into a pipe at once, whatever its fields hold") {
  const std::string foreign(1000, '\xff');
  const std::string line = log_line(Severity::warning, "long",
                                    {{"one", foreign},
                                     {"two", foreign},
                                     {"three", foreign},
                                     {"four", foreign},
                                     {"five", foreign},
                                     {"six", "seen"}});
  CHECK(line.size() < kMaxLogLine);
  CHECK(line.find(" three=") != std::string::npos);
  CHECK(line.find(" four=") == std::string::npos);
  CHECK(line.ends_with("... six=seen fields_left_out=2"));
}

TEST_CASE("a standard error that nobody reads stops nobody, and what was dropped is told") {
  PipedErrors errors;
  auto logging = std::async(std::launch::async, log_many);
  const bool has_ended = logging.wait_for(std::chrono::seconds{20}) == std::future_status::ready;
  std::string written = errors.read();
  while (!has_ended &&
         logging.wait_for(std::chrono::milliseconds{1}) != std::future_status::ready) {
    errors.read();  // so that the test ends
  }
  REQUIRE(has_ended);
  const std::size_t taken = lines_in(written);
  CHECK(taken > 0);
  REQUIRE(taken < kLines);
  CHECK(written.ends_with('\n'));

  log(Severity::info, "read_again");
  log(Severity::info, "as_before");
  CHECK(errors.read() ==
        "level=warning event=log_lines_dropped lines=" + std::to_string(kLines - taken) +
            "\nlevel=info event=read_again\nlevel=info event=as_before\n");
}

TEST_CASE("while nobody reads only the first line waits") {
  PipedErrors errors;
  auto begin = std::chrono::steady_clock::now();
  log_many();
  CHECK(std::chrono::steady_clock::now() - begin >= kLogPatience);
  begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 200; ++i) log(Severity::info, "dropped");
  CHECK(std::chrono::steady_clock::now() - begin < 100 * kLogPatience);
  CHECK(errors.read().find("event=dropped") == std::string::npos);
}

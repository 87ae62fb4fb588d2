// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <doctest/doctest.h>

using namespace sealane;

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

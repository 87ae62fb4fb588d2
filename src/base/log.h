// SPDX-License-Identifier: Apache-2.0
// Logging: one logfmt line per event on standard error, with the journal's "<N>" priority prefix
// when standard error is the journal.
//
//   log(Severity::warning, "sts_fetch_failed", {{"domain", name}, {"cause", text}});
//   => level=warning event=sts_fetch_failed domain=example.net cause="certificate expired"
//
// Any thread may log; a line is one write(2).  Values may come from the network: they are escaped,
// bounded and quoted here, so no caller has to.
//
// Whoever reads the log must not stop the service: a line that standard error does not take in
// time is dropped, and so is what follows, until it takes some again.  Then comes
//
//   level=warning event=log_lines_dropped lines=N
#pragma once

#include <chrono>
#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

namespace sealane {

enum class Severity { debug, info, notice, warning, error, alarm };

struct LogField {
  std::string_view name;
  std::string value;
};

/// Longest line in octets, with prefix and line end: PIPE_BUF of Linux.  A pipe that can be written
/// to takes as much at once.
inline constexpr std::size_t kMaxLogLine = 4096;
/// How long the first line waits that standard error does not take: a reader that lives has come
/// round in this, and who waits for an answer hardly notices.
inline constexpr std::chrono::milliseconds kLogPatience{100};

/// Lines below `least` are dropped.  Any thread, at any time; the default is `info`.
void set_log_level(Severity least);
/// Drops every line: for a program that tells people in words of its own.
void silence_log();
bool log_enabled(Severity severity);
void log(Severity severity, std::string_view event, std::initializer_list<LogField> fields = {});

/// The text that log() would write, without prefix and line end.  Fields that no longer fit are
/// left out, and `fields_left_out=N` comes in their place.
std::string log_line(Severity severity, std::string_view event,
                     std::initializer_list<LogField> fields);

/// "debug", "info", "notice", "warning", "error", "alarm".
std::optional<Severity> severity_named(std::string_view name);
std::string_view name_of(Severity severity);

}  // namespace sealane

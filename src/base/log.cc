// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>

#include "base/text.h"

namespace sealane {
namespace {

std::atomic<Severity> least_severity{Severity::info};

struct SeverityName {
  Severity severity;
  std::string_view name;
  int priority;  // syslog(3)
};
constexpr std::array<SeverityName, 6> kSeverities{{{Severity::debug, "debug", 7},
                                                   {Severity::info, "info", 6},
                                                   {Severity::notice, "notice", 5},
                                                   {Severity::warning, "warning", 4},
                                                   {Severity::error, "error", 3},
                                                   {Severity::alarm, "alarm", 1}}};

/// JOURNAL_STREAM names the device and inode of the journal's end (systemd.exec(5)).
bool stderr_is_journal() {
  const char* stream = std::getenv("JOURNAL_STREAM");
  struct stat status {};
  if (stream == nullptr || fstat(STDERR_FILENO, &status) != 0) return false;
  return fmt::format("{}:{}", status.st_dev, status.st_ino) == stream;
}

std::string quoted(std::string_view value) {
  std::string escaped = escape(value);
  const bool plain = !escaped.empty() && escaped.find_first_of(" =\"") == std::string::npos;
  if (plain) return escaped;
  std::string out = "\"";
  for (char c : escaped) {
    if (c == '"') out.push_back('\\');
    out.push_back(c);
  }
  out.push_back('"');
  return out;
}

}  // namespace

void silence_log() {
  least_severity = static_cast<Severity>(static_cast<int>(Severity::alarm) + 1);
}

void set_log_level(Severity least) { least_severity.store(least, std::memory_order_relaxed); }

bool log_enabled(Severity severity) {
  return severity >= least_severity.load(std::memory_order_relaxed);
}

std::string log_line(Severity severity, std::string_view event,
                     std::initializer_list<LogField> fields) {
  std::string line = fmt::format("level={} event={}", name_of(severity), event);
  for (const LogField& field : fields)
    line += fmt::format(" {}={}", field.name, quoted(field.value));
  return line;
}

void log(Severity severity, std::string_view event, std::initializer_list<LogField> fields) {
  if (!log_enabled(severity)) return;
  static const bool journal = stderr_is_journal();
  std::string line = log_line(severity, event, fields) + "\n";
  if (journal) {
    line.insert(0, fmt::format("<{}>", kSeverities[static_cast<std::size_t>(severity)].priority));
  }
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
}

std::optional<Severity> severity_named(std::string_view name) {
  for (const SeverityName& entry : kSeverities) {
    if (entry.name == name) return entry.severity;
  }
  return std::nullopt;
}

std::string_view name_of(Severity severity) {
  return kSeverities[static_cast<std::size_t>(severity)].name;
}

}  // namespace sealane

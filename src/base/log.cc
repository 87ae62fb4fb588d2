// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <cstdlib>
#include <mutex>

#include "base/text.h"

namespace sealane {
namespace {

static_assert(kMaxLogLine <= PIPE_BUF);
/// Octets of a line that are no field: "<N>", the line end, and "fields_left_out" with its number.
constexpr std::size_t kAroundFields = 32;

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

/// As it is written: with the priority for the journal, and the line end.
std::string whole_line(Severity severity, const std::string& text) {
  static const bool journal = stderr_is_journal();
  if (!journal) return text + '\n';
  return fmt::format("<{}>{}\n", kSeverities[static_cast<std::size_t>(severity)].priority, text);
}

/// Standard error as others share it: O_NONBLOCK would change it for them too, so it is asked
/// before each line.  "Can be written to" means PIPE_BUF octets in a pipe, and a good part of the
/// buffer in a stream socket, the journal's.  Files always can; an error is what write(2) tells.
class Output {
 public:
  void put(const std::string& line) {
    const std::lock_guard lock(mutex_);
    const bool is_stalled = dropped_ > 0;
    if (is_stalled && !write_dropped()) {
      ++dropped_;
      return;
    }
    const auto patience = is_stalled ? std::chrono::milliseconds{0} : kLogPatience;
    dropped_ = write(line, patience) ? 0 : 1;
  }

 private:
  bool write_dropped() {
    const std::string text =
        log_line(Severity::warning, "log_lines_dropped", {{"lines", std::to_string(dropped_)}});
    return write(whole_line(Severity::warning, text), std::chrono::milliseconds{0});
  }
  static bool write(const std::string& line, std::chrono::milliseconds patience) {
    pollfd asked{STDERR_FILENO, POLLOUT, 0};
    int ready = 0;
    do {
      ready = ::poll(&asked, 1, static_cast<int>(patience.count()));
    } while (ready < 0 && errno == EINTR);
    return ready > 0 && ::write(STDERR_FILENO, line.data(), line.size()) >= 0;
  }

  std::mutex mutex_;
  std::uint64_t dropped_ = 0;  // since a line was written
};

Output output;

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
  std::size_t left_out = 0;
  for (const LogField& field : fields) {
    const std::string piece = fmt::format(" {}={}", field.name, quoted(field.value));
    const bool fits = line.size() + piece.size() + kAroundFields <= kMaxLogLine;
    if (fits) line += piece;
    if (!fits) ++left_out;
  }
  if (left_out > 0) line += fmt::format(" fields_left_out={}", left_out);
  return line;
}

void log(Severity severity, std::string_view event, std::initializer_list<LogField> fields) {
  if (!log_enabled(severity)) return;
  output.put(whole_line(severity, log_line(severity, event, fields)));
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

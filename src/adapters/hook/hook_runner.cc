// SPDX-License-Identifier: Apache-2.0
#include "adapters/hook/hook_runner.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json.hpp>
#include <cerrno>
#include <cstring>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/text.h"
#include "lookup/waiting.h"

namespace sealane {
namespace asio = boost::asio;
namespace {

/// How often a running command is looked at.  It is not in anybody's way.
constexpr std::chrono::milliseconds kGlance{50};

/// The pipe to a command, with all that it will read inside: an event has a few KiB, which the
/// kernel takes (64 KiB) before anybody reads.  -1: no.
int full_pipe(const std::string& text) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return -1;
  const int flags = ::fcntl(ends[1], F_GETFL);
  ::fcntl(ends[1], F_SETFL, flags | O_NONBLOCK);
  const ssize_t written = ::write(ends[1], text.data(), text.size());
  ::close(ends[1]);
  if (written == static_cast<ssize_t>(text.size())) return ends[0];
  ::close(ends[0]);
  return -1;
}

/// What a child gets: this input, no output, our standard error, nothing else that is open; the
/// signals as a program expects them, and a process group of its own.
class SpawnSettings {
 public:
  explicit SpawnSettings(int input) {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawn_file_actions_adddup2(&actions_, input, STDIN_FILENO);
    ::posix_spawn_file_actions_addopen(&actions_, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    ::posix_spawn_file_actions_addclosefrom_np(&actions_, STDERR_FILENO + 1);
    ::posix_spawnattr_init(&attributes_);
    sigset_t all;
    sigset_t none;
    ::sigfillset(&all);
    ::sigemptyset(&none);
    ::posix_spawnattr_setsigdefault(&attributes_, &all);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    ::posix_spawnattr_setpgroup(&attributes_, 0);
    ::posix_spawnattr_setflags(
        &attributes_, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  }
  ~SpawnSettings() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;

  const posix_spawn_file_actions_t* actions() const { return &actions_; }
  const posix_spawnattr_t* attributes() const { return &attributes_; }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

std::string ending(int status) {
  if (WIFSIGNALED(status)) return fmt::format("killed by signal {}", WTERMSIG(status));
  return fmt::format("status {}", WEXITSTATUS(status));
}

}  // namespace

std::string event_json(const Event& event) {
  boost::json::object object;
  object["time"] =
      fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(event.time.time_since_epoch().count()));
  object["domain"] = event.domain.text();
  object["kind"] = name_of(event.kind);
  object["severity"] = name_of(event.severity);
  object["text"] = event.text;
  object["old"] = event.old_value;
  object["new"] = event.new_value;
  return boost::json::serialize(object) + "\n";
}

class HookRunner::Impl : public std::enable_shared_from_this<HookRunner::Impl> {
 public:
  Impl(asio::any_io_executor executor, std::vector<std::string> command, HookLimits limits)
      : executor_(executor), command_(std::move(command)), limits_(limits), timer_(executor) {}

  void note(const Event& event);
  void close();
  HookCounters counters;

 private:
  using Steady = std::chrono::steady_clock::time_point;

  Task<> work();
  Task<> pause(std::chrono::steady_clock::duration time);
  Task<> run(std::string text);
  Result<pid_t> start(const std::string& text);
  Task<int> reap(pid_t child);
  std::chrono::steady_clock::duration until_allowed();

  asio::any_io_executor executor_;
  const std::vector<std::string> command_;
  const HookLimits limits_;
  asio::steady_timer timer_;
  std::deque<std::string> waiting_;
  std::deque<Steady> begun_;  ///< the runs of the last minute
  bool working_ = false;
  bool closed_ = false;
};

void HookRunner::Impl::note(const Event& event) {
  if (closed_) return;
  if (waiting_.size() >= limits_.waiting) {
    if (counters.dropped++ % limits_.waiting == 0) {
      log(Severity::warning, "hook_overrun", {{"dropped", std::to_string(counters.dropped)}});
    }
    return;
  }
  waiting_.push_back(event_json(event));
  if (working_) return;
  working_ = true;
  spawn_detached(executor_, work(), "hook");
}

void HookRunner::Impl::close() {
  closed_ = true;
  waiting_.clear();
  timer_.cancel();
}

Task<> HookRunner::Impl::work() {
  const auto self = shared_from_this();
  while (!waiting_.empty() && !closed_) {
    const auto wait = until_allowed();
    if (wait > wait.zero()) {
      co_await pause(wait);
      continue;
    }
    std::string text = std::move(waiting_.front());
    waiting_.pop_front();
    begun_.push_back(std::chrono::steady_clock::now());
    co_await run(std::move(text));
  }
  working_ = false;
}

std::chrono::steady_clock::duration HookRunner::Impl::until_allowed() {
  constexpr std::chrono::minutes kWindow{1};
  const Steady now = std::chrono::steady_clock::now();
  while (!begun_.empty() && now - begun_.front() >= kWindow) begun_.pop_front();
  if (begun_.size() < limits_.per_minute) return {};
  return begun_.front() + kWindow - now;
}

Task<> HookRunner::Impl::pause(std::chrono::steady_clock::duration time) {
  timer_.expires_after(time);
  boost::system::error_code woken;
  co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
}

Result<pid_t> HookRunner::Impl::start(const std::string& text) {
  const int input = full_pipe(text);
  if (input < 0) return failure("pipe: {}", std::strerror(errno));
  const SpawnSettings settings(input);
  std::vector<std::string> words = command_;
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  std::string path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  char* environment[] = {path.data(), nullptr};
  pid_t child = 0;
  const int error = ::posix_spawn(&child, words.front().c_str(), settings.actions(),
                                  settings.attributes(), arguments.data(), environment);
  ::close(input);
  if (error != 0) return failure("{}", std::strerror(error));
  return child;
}

Task<> HookRunner::Impl::run(std::string text) {
  ++counters.runs;
  const Result<pid_t> child = start(text);
  std::string problem = child ? std::string() : child.error();
  if (child) {
    const int status = co_await reap(*child);
    if (status != 0) problem = ending(status);
  }
  if (problem.empty()) co_return;
  ++counters.failures;
  log(Severity::warning, "hook_failed", {{"command", command_.front()}, {"cause", problem}});
}

/// Waits for the child's end, and sees to it that there is one.
Task<int> HookRunner::Impl::reap(pid_t child) {
  const Steady until = std::chrono::steady_clock::now() + limits_.patience;
  for (;;) {
    int status = 0;
    const pid_t ended = ::waitpid(child, &status, WNOHANG);
    if (ended == child) co_return status;
    if (ended < 0 && errno != EINTR) co_return 0;
    if (closed_ || std::chrono::steady_clock::now() >= until) {
      ::kill(-child, SIGKILL);
      ::waitpid(child, &status, 0);
      co_return status;
    }
    co_await pause(kGlance);
  }
}

HookRunner::HookRunner(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
HookRunner::~HookRunner() { impl_->close(); }
void HookRunner::note(const Event& event) { impl_->note(event); }
void HookRunner::close() { impl_->close(); }
const HookCounters& HookRunner::counters() const { return impl_->counters; }

Result<std::unique_ptr<HookRunner>> HookRunner::create(asio::any_io_executor executor,
                                                       const std::string& command,
                                                       HookLimits limits) {
  std::vector<std::string> parts;
  for (const std::string_view word : words(command)) parts.emplace_back(word);
  if (parts.empty() || !parts.front().starts_with('/')) {
    return failure("policy.on-downgrade: \"{}\" is no absolute path", escape(command));
  }
  if (::access(parts.front().c_str(), X_OK) != 0) {
    return failure("policy.on-downgrade: {}: {}", escape(parts.front()), std::strerror(errno));
  }
  auto impl = std::make_shared<Impl>(std::move(executor), std::move(parts), limits);
  return std::unique_ptr<HookRunner>(new HookRunner(std::move(impl)));
}

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
#include "cli/doctor/child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/descriptor.h"
#include "base/text.h"

extern char** environ;

namespace sealane::doctor {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

/// A pipe of which the child gets the writing end.
struct Pipe {
  Descriptor reading;
  Descriptor writing;
  bool open() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return false;
    reading = Descriptor(ends[0]);
    writing = Descriptor(ends[1]);
    return true;
  }
};

/// posix_spawn's list of what to do with descriptors.
struct Actions {
  posix_spawn_file_actions_t list;
  Actions() { ::posix_spawn_file_actions_init(&list); }
  Actions(const Actions&) = delete;
  Actions& operator=(const Actions&) = delete;
  ~Actions() { ::posix_spawn_file_actions_destroy(&list); }
};

/// Reads what there is; false at the end of the stream, which is closed then.
bool drain(Pipe& pipe, std::string& into) {
  std::array<char, 16 * 1024> room;
  const ssize_t got = ::read(pipe.reading.get(), room.data(), room.size());
  if (got > 0) into.append(room.data(), static_cast<std::size_t>(got));
  if (got > 0 || (got < 0 && errno == EINTR)) return true;
  pipe.reading.reset();
  return false;
}

/// Collects both streams to their ends.
Result<void> collect(Pipe& out, Pipe& err, ChildOutput& output) {
  const auto deadline = steady_clock::now() + kChildPatience;
  while (out.reading || err.reading) {
    const auto left =
        std::chrono::duration_cast<milliseconds>(deadline - steady_clock::now()).count();
    if (left <= 0) return failure("it takes longer than {} s", kChildPatience.count());
    std::array<pollfd, 2> watched{{{out.reading.get(), POLLIN, 0}, {err.reading.get(), POLLIN, 0}}};
    if (::poll(watched.data(), watched.size(), static_cast<int>(left)) <= 0) continue;
    if (watched[0].revents != 0) drain(out, output.out);
    if (watched[1].revents != 0) drain(err, output.err);
    if (output.out.size() > kMaxChildOutput || output.err.size() > kMaxChildOutput) {
      return failure("it says more than {} octets", kMaxChildOutput);
    }
  }
  return {};
}

}  // namespace

std::optional<std::string> find_program(std::string_view name) {
  const char* path = std::getenv("PATH");
  std::string places = path == nullptr ? "" : path;
  places += ":/usr/local/sbin:/usr/sbin:/sbin";
  for (const std::string_view place : split(places, ':')) {
    if (!place.starts_with('/')) continue;
    const std::string file = fmt::format("{}/{}", place, name);
    if (::access(file.c_str(), X_OK) == 0) return file;
  }
  return std::nullopt;
}

Result<ChildOutput> run_child(const std::vector<std::string>& argv) {
  Pipe out;
  Pipe err;
  if (!out.open() || !err.open()) return failure("{}: {}", argv.front(), std::strerror(errno));
  Actions actions;
  ::posix_spawn_file_actions_addopen(&actions.list, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions.list, out.writing.get(), STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions.list, err.writing.get(), STDERR_FILENO);
  std::vector<char*> words;
  words.reserve(argv.size() + 1);
  for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  pid_t child = 0;
  const int refused =
      ::posix_spawn(&child, words[0], &actions.list, nullptr, words.data(), environ);
  if (refused != 0) return failure("{}: {}", argv.front(), std::strerror(refused));
  out.writing.reset();
  err.writing.reset();

  ChildOutput output;
  const Result<void> collected = collect(out, err, output);
  if (!collected) ::kill(child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!collected) return failure("{}: {}", argv.front(), collected.error());
  output.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return output;
}

}  // namespace sealane::doctor

// SPDX-License-Identifier: Apache-2.0
// Processes that die, share a store or have no right to it.
#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <functional>
#include <optional>

#include "store_bench.h"

extern char** environ;

namespace sealane {
namespace {

/// This program again, running the one test case that is meant for it.
class Child {
 public:
  Child(const std::string& test_case, const std::string& path) {
    std::array<int, 2> out{};
    REQUIRE(::pipe2(out.data(), O_CLOEXEC) == 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    std::string program = "/proc/self/exe", skip = "--no-skip", filter = "--test-case=" + test_case;
    std::array<char*, 4> arguments{program.data(), skip.data(), filter.data(), nullptr};
    ::setenv("STORE_PATH", path.c_str(), 1);
    REQUIRE(::posix_spawn(&pid_, program.c_str(), &actions, nullptr, arguments.data(), environ) ==
            0);
    posix_spawn_file_actions_destroy(&actions);
    ::close(out[1]);
    stream_ = ::fdopen(out[0], "r");
  }
  ~Child() {
    std::fclose(stream_);
    if (pid_ > 0) wait();
  }

  /// Lines of its output that begin with the tag, without it; nullopt at the end.
  std::optional<std::string> next(const std::string& tag) {
    std::array<char, 1024> line;
    while (std::fgets(line.data(), line.size(), stream_) != nullptr) {
      const std::string text(line.data(), std::char_traits<char>::length(line.data()) - 1);
      if (text.starts_with(tag)) return text.substr(tag.size());
    }
    return std::nullopt;
  }
  void kill() { ::kill(pid_, SIGKILL); }
  int wait() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = 0;
    return status;
  }

 private:
  pid_t pid_ = 0;
  std::FILE* stream_ = nullptr;
};

void say(const std::string& line) {
  std::fputs((line + "\n").c_str(), stdout);
  std::fflush(stdout);
}

TEST_CASE("child: puts without end" * doctest::skip()) {
  Opened store(std::getenv("STORE_PATH"));
  // Sixteen at a time, so that transactions hold several; each is told when it is durable.
  int next = 0;
  std::function<void()> put_one = [&] {
    const int number = next++;
    boost::asio::co_spawn(store.io, store.store->put(name_of_row(number), memory_of(number)),
                          [&, number](std::exception_ptr error, Result<void> put) {
                            if (error || !put) return say("failed");
                            say("put " + std::to_string(number));
                            put_one();
                          });
  };
  for (int i = 0; i < 16; ++i) put_one();
  store.io.run();
}

TEST_CASE("a kill at any moment loses no put that had completed") {
  for (const int after : {1, 20, 150, 600}) {
    CAPTURE(after);
    const Folder folder;
    std::vector<int> durable;
    {
      Child child("child: puts without end", folder.path("s"));
      while (static_cast<int>(durable.size()) < after) {
        const auto line = child.next("put ");
        REQUIRE(line.has_value());
        durable.push_back(std::stoi(*line));
      }
      child.kill();
      while (const auto line = child.next("put ")) durable.push_back(std::stoi(*line));
      CHECK(WIFSIGNALED(child.wait()));
    }
    Opened store(folder.path("s"));
    int there = 0;
    for (const int number : durable) {
      const auto found = store.find(name_of_row(number));
      REQUIRE_MESSAGE(found.has_value(), found.error());
      if (*found && **found == memory_of(number)) ++there;
    }
    CHECK(there == static_cast<int>(durable.size()));
  }
}

TEST_CASE("child: puts three hundred" * doctest::skip()) {
  Opened store(std::getenv("STORE_PATH"));
  say("ready");
  for (int i = 1000; i < 1300; ++i) {
    const auto put = store.put(name_of_row(i), memory_of(i));
    CHECK_MESSAGE(put.has_value(), put.error());
  }
}

TEST_CASE("two processes that begin at once share one store and lose nothing") {
  const Folder folder;
  Child child("child: puts three hundred", folder.path("s"));
  Opened store(folder.path("s"));
  CHECK(child.next("ready").has_value());
  for (int i = 0; i < 300; ++i) {
    const auto put = store.put(name_of_row(i), memory_of(i));
    CHECK_MESSAGE(put.has_value(), put.error());
  }
  CHECK(child.wait() == 0);
  CHECK(store.stats()->domains == 600);
}

TEST_CASE("child: opens without rights" * doctest::skip()) {
  if (::geteuid() == 0) REQUIRE(::setuid(65534) == 0);
  const std::string folder = std::getenv("STORE_PATH");
  for (const char* file : {"/closed/s", "/readonly/s", "/open/s"}) {
    say("text " + refusal(folder + file));
  }
}

TEST_CASE("a file or folder without the right to write is refused and named") {
  const Folder folder;
  for (const char* name : {"closed", "readonly", "open"}) {
    REQUIRE(::mkdir(folder.path(name).c_str(), 0700) == 0);
  }
  { Opened store(folder.path("open/s")); }
  ::chmod(folder.path("open/s").c_str(), 0400);
  ::chmod(folder.path("readonly").c_str(), 0555);
  ::chmod(folder.path("open").c_str(), 0777);
  ::chmod(folder.path("closed").c_str(), 0000);
  ::chmod(folder.path().c_str(), 0755);
  Child child("child: opens without rights", folder.path());
  CHECK(child.next("text ") ==
        "store PATH: folder " + folder.path("closed") + ": Permission denied");
  CHECK(child.next("text ") ==
        "store PATH: folder " + folder.path("readonly") + ": Permission denied");
  CHECK(child.next("text ") == "store PATH: Permission denied");
  CHECK(child.wait() == 0);
  ::chmod(folder.path("closed").c_str(), 0700);
  ::chmod(folder.path("readonly").c_str(), 0700);
}

}  // namespace
}  // namespace sealane

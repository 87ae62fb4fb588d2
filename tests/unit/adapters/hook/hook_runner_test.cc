// SPDX-License-Identifier: Apache-2.0
// The hook with real programs: the commands of /bin that every system has.
#include "adapters/hook/hook_runner.h"

#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/log.h"
#include "fakes.h"

using namespace sealane;
using namespace std::chrono_literals;

namespace {

class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "hook-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::string path(const std::string& name) const { return path_ + "/" + name; }
  std::string script(const std::string& text) const {
    const std::string name = path("hook.sh");
    std::ofstream(name) << "#!/bin/sh\n" << text;
    ::chmod(name.c_str(), 0700);
    return name;
  }
  std::string content(const std::string& name) const {
    std::ifstream file(path(name), std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  }

 private:
  std::string path_;
};

Event event_of(int number) {
  return Event{std::chrono::sys_seconds(1'790'000'000s),
               domain("a.example"),
               EventKind::policy_weaker,
               Severity::warning,
               "quotes \" and\nlines",
               "mode enforce",
               std::to_string(number)};
}

std::unique_ptr<HookRunner> runner(boost::asio::io_context& io, const std::string& command,
                                   HookLimits limits = {}) {
  set_log_level(Severity::alarm);
  auto created = HookRunner::create(io.get_executor(), command, limits);
  REQUIRE_MESSAGE(created.has_value(), created.error());
  return std::move(*created);
}

/// Whether that process ends in time.  It was killed, but only the kernel knows when it gets to it;
/// its parent is gone too: whoever adopts it reaps it, until then it is a zombie.
bool ends_within(std::chrono::seconds time, const std::string& pid) {
  const auto until = std::chrono::steady_clock::now() + time;
  do {
    std::ifstream status("/proc/" + pid + "/stat");
    const std::string all(std::istreambuf_iterator<char>(status), {});
    if (all.empty() || all.find(") Z") != std::string::npos) return true;
    std::this_thread::sleep_for(10ms);
  } while (std::chrono::steady_clock::now() < until);
  return false;
}

}  // namespace

TEST_CASE("the command gets the event as one line of JSON on standard input") {
  const Folder folder;
  boost::asio::io_context io;
  const auto hook = runner(io, folder.script("cat > $1\n") + " " + folder.path("out"));
  hook->note(event_of(7));
  io.run();
  CHECK(folder.content("out") ==
        R"({"time":"2026-09-21T14:13:20Z","domain":"a.example","kind":"policy-weaker",)"
        R"("severity":"warning","text":"quotes \" and\nlines","old":"mode enforce","new":"7"})"
        "\n");
  CHECK(hook->counters().runs == 1);
  CHECK(hook->counters().failures == 0);
}

TEST_CASE("there is no shell: blanks separate arguments and nothing else means anything") {
  const Folder folder;
  boost::asio::io_context io;
  const std::string script = folder.script("echo \"$#|$1|$2\" > " + folder.path("out") + "\n");
  const auto hook = runner(io, script + "  $(id)   ;true");
  hook->note(event_of(1));
  io.run();
  CHECK(folder.content("out") == "2|$(id)|;true\n");
}

TEST_CASE("one runs at a time, in order of the events") {
  const Folder folder;
  boost::asio::io_context io;
  const std::string out = folder.path("out");
  const auto hook = runner(io, folder.script("sed 's/.*\"new\":\"//; s/\"}//' >> " + out + "\n"));
  for (int i = 0; i < 5; ++i) hook->note(event_of(i));
  io.run();
  CHECK(folder.content("out") == "0\n1\n2\n3\n4\n");
}

TEST_CASE("a command that hangs is killed with all that it started") {
  const Folder folder;
  boost::asio::io_context io;
  HookLimits limits;
  limits.patience = 1s;  // enough for the shell to say whom it started
  const auto hook = runner(
      io, folder.script("sleep 100 &\necho $! > " + folder.path("pid") + "\nwait\n"), limits);
  hook->note(event_of(1));
  const auto began = std::chrono::steady_clock::now();
  io.run();
  CHECK(std::chrono::steady_clock::now() - began < 10s);
  CHECK(hook->counters().failures == 1);
  const std::string pid = folder.content("pid");
  REQUIRE_FALSE(pid.empty());
  CHECK(ends_within(10s, pid.substr(0, pid.size() - 1)));
}

TEST_CASE("a command that fails, or does not read, is counted and the next one runs") {
  const Folder folder;
  boost::asio::io_context io;
  const auto fails = runner(io, "/bin/false");
  fails->note(event_of(1));
  fails->note(event_of(2));
  const auto deaf = runner(io, "/bin/true");
  deaf->note(event_of(1));
  io.run();
  CHECK(fails->counters().runs == 2);
  CHECK(fails->counters().failures == 2);
  CHECK(deaf->counters().failures == 0);
}

TEST_CASE("no more than the limit run in a minute, and what has no place is dropped") {
  boost::asio::io_context io;
  HookLimits limits;
  limits.per_minute = 3;
  limits.waiting = 5;
  const auto hook = runner(io, "/bin/true", limits);
  for (int i = 0; i < 9; ++i) hook->note(event_of(i));
  CHECK(hook->counters().dropped == 4);
  io.run_for(1s);
  CHECK(hook->counters().runs == 3);
  hook->close();
  io.run();
  CHECK(hook->counters().runs == 3);
}

TEST_CASE("the command inherits no descriptor and no ignored signal") {
  const Folder folder;
  boost::asio::io_context io;
  std::signal(SIGPIPE, SIG_IGN);
  std::ofstream open_file(folder.path("open"));
  const auto hook =
      runner(io, folder.script("ls /proc/self/fd | wc -l > " + folder.path("fds") +
                               "\ngrep SigIgn /proc/self/status > " + folder.path("signals")));
  hook->note(event_of(1));
  io.run();
  CHECK(folder.content("fds") == "4\n");  // 0, 1, 2 and that of ls itself
  // glibc's own two signals, 32 and 33, may be there.
  const std::string low_bits = folder.content("signals").substr(16);
  CHECK((low_bits == "80000000\n" || low_bits == "00000000\n"));
}

TEST_CASE("a command that is no program is refused") {
  boost::asio::io_context io;
  for (const char* command : {"", "  ", "true", "/nowhere/x", "/etc/passwd"}) {
    CHECK_FALSE(HookRunner::create(io.get_executor(), command).has_value());
  }
}

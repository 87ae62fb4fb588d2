// SPDX-License-Identifier: Apache-2.0
// The fetcher and policy_host.py's servers, for the tests that need both.
#pragma once

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>

#include "adapters/https/https_fetcher.h"
#include "fakes.h"

extern char** environ;

namespace sealane {

using namespace std::chrono_literals;  // NOLINT: tests only
using Steady = std::chrono::steady_clock;
using Texts = std::vector<std::string>;

constexpr char kPolicy[] = "version: STSv1\nmode: enforce\nmx: mx.example.net\nmax_age: 604800\n";

/// policy_host.py as a child of ours; it ends when its standard input does.
class PolicyHosts {
 public:
  PolicyHosts() {
    std::array<int, 2> in{}, out{};
    REQUIRE(::pipe2(in.data(), O_CLOEXEC) == 0);
    REQUIRE(::pipe2(out.data(), O_CLOEXEC) == 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    std::string python = POLICY_HOST_PYTHON, script = POLICY_HOST_SCRIPT;
    std::array<char*, 3> arguments{python.data(), script.data(), nullptr};
    REQUIRE(::posix_spawn(&child_, python.c_str(), &actions, nullptr, arguments.data(), environ) ==
            0);
    posix_spawn_file_actions_destroy(&actions);
    ::close(in[0]);
    ::close(out[1]);
    input_ = in[1];
    read_announcement(out[0]);
  }
  ~PolicyHosts() {
    ::close(input_);
    ::waitpid(child_, nullptr, 0);
  }

  std::string ca;
  std::uint16_t port = 0;

 private:
  void read_announcement(int fd) {
    std::FILE* stream = ::fdopen(fd, "r");
    std::array<char, 4096> line;
    while (std::fgets(line.data(), line.size(), stream) != nullptr) {
      const std::string text(line.data(), std::char_traits<char>::length(line.data()) - 1);
      if (text.starts_with("ca ")) ca = text.substr(3);
      if (text.starts_with("port ")) port = static_cast<std::uint16_t>(std::stoi(text.substr(5)));
      if (text == "ready") break;
    }
    std::fclose(stream);
    REQUIRE_MESSAGE(port != 0, "policy_host.py did not start");
  }

  pid_t child_ = 0;
  int input_ = -1;
};

inline const PolicyHosts& hosts() {
  static const PolicyHosts running;
  return running;
}

inline HttpsOptions usual_options() {
  HttpsOptions options;
  options.ca_file = hosts().ca;
  options.port = hosts().port;
  options.allow_addresses = {"127.0.0.0/8", "::1"};
  options.total_budget = 10s;
  return options;
}

/// A fetcher, what it needs, and an orderly end.
struct Bench {
  explicit Bench(HttpsOptions options = usual_options()) {
    auto created = HttpsFetcher::create(io.get_executor(), resolver, std::move(options));
    REQUIRE_MESSAGE(created.has_value(), created.error());
    fetcher = std::move(*created);
  }
  ~Bench() {
    fetcher->close();
    const auto begun = Steady::now();
    io.run();
    CHECK(Steady::now() - begun < 1s);
  }

  void point(const std::string& name, const Texts& addresses) {
    Texts v4, v6;
    for (const auto& text : addresses) (text.find(':') == text.npos ? v4 : v6).push_back(text);
    resolver.replies["mta-sts." + name + " A"] =
        v4.empty() ? dns_nodata(false) : dns_address(false, v4);
    resolver.replies["mta-sts." + name + " AAAA"] =
        v6.empty() ? dns_nodata(false) : dns_address(false, v6);
  }

  Fetched fetch(const std::string& name, const Texts& addresses = {"127.0.0.1"}) {
    point(name, addresses);
    return run(fetcher->fetch(domain(name)), io);
  }

  /// Starts a fetch that ends in `results`, in order of ending.
  void start(const std::string& name, const Texts& addresses) {
    point(name, addresses);
    boost::asio::co_spawn(io, fetcher->fetch(domain(name)),
                          [this, name](std::exception_ptr error, Fetched fetched) {
                            REQUIRE_FALSE(error);
                            results.emplace_back(name, std::move(fetched));
                          });
  }
  void run_until(std::size_t results_wanted) {
    while (results.size() < results_wanted && io.run_one() > 0) {
    }
  }

  boost::asio::io_context io;
  FakeResolver resolver;
  std::unique_ptr<HttpsFetcher> fetcher;
  std::vector<std::pair<std::string, Fetched>> results;
};

inline std::string shown(const Fetched& fetched) {
  if (fetched) return fetched->body == kPolicy ? "policy" : "another body";
  return fmt::format("{}: {}", name_of(fetched.error().problem), fetched.error().text);
}

inline HttpsOptions with_budget(std::chrono::milliseconds total) {
  HttpsOptions options = usual_options();
  options.total_budget = total;
  return options;
}

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
// Real Redis (or Valkey) servers for the tests: on a unix socket, a port of loopback, and TLS.
#pragma once

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/local/stream_protocol.hpp>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "adapters/redis/redis_client.h"
#include "fakes.h"

extern char** environ;

namespace sealane {

/// A folder that goes with the test; short, since a socket's path must be.
class TestFolder {
 public:
  TestFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "redis-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~TestFolder() { std::filesystem::remove_all(path_); }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;
  std::string path(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

/// Runs a loop until the condition holds; false after some seconds.
inline bool until(boost::asio::io_context& io, const std::function<bool()>& condition,
                  std::chrono::seconds patience = std::chrono::seconds{20}) {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= end) return false;
    if (io.stopped()) io.restart();
    io.run_for(std::chrono::milliseconds{5});
  }
  return true;
}

inline int spawn_program(std::vector<std::string> command) {
  std::vector<char*> words;
  for (std::string& word : command) words.push_back(word.data());
  words.push_back(nullptr);
  int pid = -1;
  REQUIRE(::posix_spawn(&pid, words[0], nullptr, nullptr, words.data(), environ) == 0);
  return pid;
}

inline std::string server_program() {
  for (const char* path : {"/usr/bin/redis-server", "/usr/bin/valkey-server"}) {
    if (::access(path, X_OK) == 0) return path;
  }
  FAIL("neither redis-server nor valkey-server is installed");
  return {};
}

inline std::uint16_t free_port() {
  const int probe = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof name;
  REQUIRE(::bind(probe, reinterpret_cast<sockaddr*>(&name), size) == 0);
  REQUIRE(::getsockname(probe, reinterpret_cast<sockaddr*>(&name), &size) == 0);
  ::close(probe);
  return ntohs(name.sin_port);
}

class RedisServer {
 public:
  explicit RedisServer(std::vector<std::string> more = {}) : more_(std::move(more)) { start(); }
  ~RedisServer() { kill(); }
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  /// Empty: nothing is kept on disk.
  void start() {
    std::vector<std::string> command{
        server_program(),   "--port", std::to_string(port), "--bind", "127.0.0.1", "--unixsocket",
        socket(),           "--dir",  folder_.path(""),     "--save", "",          "--logfile",
        folder_.path("log")};
    command.insert(command.end(), more_.begin(), more_.end());
    pid_ = spawn_program(std::move(command));
    for (int i = 0; !accepts(); ++i) {
      REQUIRE_MESSAGE(i < 1000, "the server does not accept");
      std::this_thread::sleep_for(std::chrono::milliseconds{10});
    }
  }
  void kill() {
    if (pid_ < 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
    std::filesystem::remove(socket());
  }
  void signal(int number) { ::kill(pid_, number); }

  std::string socket() const { return folder_.path("s"); }
  RedisOptions by_socket() const {
    RedisOptions options;
    options.socket = socket();
    return options;
  }
  RedisOptions by_port() const {
    RedisOptions options;
    options.host = "127.0.0.1";
    options.port = port;
    return options;
  }

  const std::uint16_t port = free_port();

 private:
  bool accepts() const {
    boost::asio::io_context io;
    boost::asio::local::stream_protocol::socket probe(io);
    boost::system::error_code error;
    probe.connect(boost::asio::local::stream_protocol::endpoint(socket()), error);
    return !error;
  }

  TestFolder folder_;
  std::vector<std::string> more_;
  int pid_ = -1;
};

/// A client whose commands are made one by one.
class Talker {
 public:
  Talker(boost::asio::io_context& io, const RedisOptions& options) : io_(io) {
    auto made = RedisClient::create(io.get_executor(), options, [this] { ++connections; });
    REQUIRE_MESSAGE(made.has_value(), made.error());
    client = std::move(*made);
    client->start();
  }
  ~Talker() {
    client->close();
    io_.restart();
    io_.run_for(std::chrono::milliseconds{50});
  }
  bool connects() {
    return until(io_, [this] { return client->connected(); });
  }
  /// The reply as text; "-": none.
  std::string ask(RedisCommand command,
                  std::chrono::milliseconds patience = std::chrono::milliseconds{2000}) {
    const auto reply = run(client->ask(std::move(command), patience), io_);
    if (!reply) return "-";
    if (reply->kind == RedisReply::Kind::nil) return "nil";
    if (reply->kind == RedisReply::Kind::number) return std::to_string(reply->number);
    return reply->text;
  }

  std::unique_ptr<RedisClient> client;
  int connections = 0;

 private:
  boost::asio::io_context& io_;
};

/// What is logged while it lives.
class LogCapture {
 public:
  LogCapture() : saved_(::dup(2)) {
    const std::string path = folder_.path("log");
    file_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    REQUIRE(file_ >= 0);
    ::dup2(file_, 2);
  }
  ~LogCapture() {
    ::dup2(saved_, 2);
    ::close(saved_);
    ::close(file_);
  }
  std::string text() const {
    std::string all(1 << 20, '\0');
    const ssize_t n = ::pread(file_, all.data(), all.size(), 0);
    all.resize(n < 0 ? 0 : static_cast<std::size_t>(n));
    return all;
  }
  std::size_t count(std::string_view what) const {
    const std::string all = text();
    std::size_t n = 0;
    for (auto at = all.find(what); at != all.npos; at = all.find(what, at + 1)) ++n;
    return n;
  }

 private:
  TestFolder folder_;
  int saved_;
  int file_ = -1;
};

}  // namespace sealane

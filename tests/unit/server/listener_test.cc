// SPDX-License-Identifier: Apache-2.0
#include "server/listener.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

#include "server/temp_dir.h"

using namespace sealane;

namespace {
ListenAddress unix_address(const std::string& path, const std::string& options = "") {
  auto address = parse_listen_address("unix:" + path + options);
  REQUIRE(address.has_value());
  return *address;
}
bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}
bool can_connect(const std::string& path) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  std::strcpy(name.sun_path, path.c_str());
  const bool connected = ::connect(fd, reinterpret_cast<sockaddr*>(&name), sizeof name) == 0;
  ::close(fd);
  return connected;
}
/// What a killed daemon leaves behind: a socket file that nobody listens on.
void leave_stale_socket(const std::string& path) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  std::strcpy(name.sun_path, path.c_str());
  REQUIRE(::bind(fd, reinterpret_cast<sockaddr*>(&name), sizeof name) == 0);
  REQUIRE(::listen(fd, 1) == 0);
  ::close(fd);
}
mode_t rights_of(const std::string& path) {
  struct stat status {};
  REQUIRE(::lstat(path.c_str(), &status) == 0);
  return status.st_mode & 07777;
}
}  // namespace

TEST_CASE("listen addresses are read and written back the same") {
  for (const char* text : {"unix:/run/a.sock,mode=0660", "unix:/run/a.sock,mode=0600,group=postfix",
                           "inet:127.0.0.1:8461", "inet:[::1]:8461", "inet:0.0.0.0:1"}) {
    CAPTURE(text);
    const auto address = parse_listen_address(text);
    REQUIRE(address.has_value());
    CHECK(address->text() == text);
  }
  CHECK(parse_listen_address("unix:/a", 0600)->mode == 0600);
  CHECK(parse_listen_address("unix:/a")->mode == 0660);
}

TEST_CASE("unix sockets and loopback addresses stay on this host") {
  for (const char* text : {"unix:/run/a", "inet:127.0.0.1:1", "inet:127.8.9.1:1", "inet:[::1]:1"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_listen_address(text)->is_remote());
  }
  for (const char* text :
       {"inet:0.0.0.0:1", "inet:192.0.2.1:1", "inet:[::]:1", "inet:12.7.0.1:1"}) {
    CAPTURE(text);
    CHECK(parse_listen_address(text)->is_remote());
  }
}

TEST_CASE("a listen address that is not meant as written is refused") {
  for (const char* text : {"",
                           "/run/a.sock",
                           "unix:",
                           "unix:relative",
                           "unix:/a,mode=",
                           "unix:/a,mode=0888",
                           "unix:/a,mode=01777",
                           "unix:/a,mode=rw",
                           "unix:/a,group=",
                           "unix:/a,owner=x",
                           "unix:/a,",
                           "inet:",
                           "inet:8461",
                           "inet:127.0.0.1",
                           "inet:127.0.0.1:",
                           "inet:127.0.0.1:65536",
                           "inet:127.0.0.1:smtp",
                           "inet:localhost:8461",
                           "inet:::1:8461",
                           "inet:[127.0.0.1]:8461",
                           "tcp:127.0.0.1:1"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_listen_address(text));
  }
}

TEST_CASE("a unix path at the limit is taken and one past it is refused") {
  const std::string longest(kMaxSocketPath - 1, 'a');
  CHECK(parse_listen_address("unix:/" + longest));
  CHECK_FALSE(parse_listen_address("unix:/" + longest + "a"));
}

TEST_CASE("the socket file has the asked rights, whatever the umask, and goes with its owner") {
  const TempDir dir;
  const std::string path = dir.file("s");
  const mode_t before = ::umask(0077);
  {
    const auto listener = Listener::open(unix_address(path, ",mode=0666"));
    REQUIRE_MESSAGE(listener.has_value(), listener.error());
    CHECK(rights_of(path) == 0666);
    CHECK(can_connect(path));
  }
  ::umask(before);
  CHECK_FALSE(std::filesystem::exists(path));
  const auto listener = Listener::open(unix_address(path, ",mode=0600"));
  CHECK(rights_of(path) == 0600);
}

TEST_CASE("a stale socket file is replaced and a live one is refused") {
  const TempDir dir;
  const std::string path = dir.file("s");
  leave_stale_socket(path);
  REQUIRE_FALSE(can_connect(path));
  const auto first = Listener::open(unix_address(path));
  REQUIRE_MESSAGE(first.has_value(), first.error());
  CHECK(can_connect(path));

  const auto second = Listener::open(unix_address(path));
  REQUIRE_FALSE(second);
  CHECK(contains(second.error(), "another process listens there"));
  CHECK(can_connect(path));
}

TEST_CASE("a file that is no socket is never removed") {
  const TempDir dir;
  const std::string path = dir.write("precious", "data");
  const auto listener = Listener::open(unix_address(path));
  REQUIRE_FALSE(listener);
  CHECK(contains(listener.error(), "no socket"));
  CHECK(std::filesystem::file_size(path) == 4);

  const std::string link = dir.file("link");
  std::filesystem::create_symlink(path, link);
  CHECK_FALSE(Listener::open(unix_address(link)));
  CHECK(std::filesystem::is_symlink(link));
}

TEST_CASE("a socket file that somebody else put in our place survives our end") {
  const TempDir dir;
  const std::string path = dir.file("s");
  {
    const auto ours = Listener::open(unix_address(path));
    REQUIRE(ours.has_value());
    // The old file stays under another name, so that its inode cannot be given out again.
    std::filesystem::rename(path, dir.file("old"));
    leave_stale_socket(path);
  }
  CHECK(std::filesystem::exists(path));
}

TEST_CASE("a missing directory and an unknown group are named") {
  const TempDir dir;
  const auto nowhere = Listener::open(unix_address(dir.file("missing/s")));
  REQUIRE_FALSE(nowhere);
  CHECK(contains(nowhere.error(), "its directory does not exist"));

  const auto group = Listener::open(unix_address(dir.file("s"), ",group=no-such-group"));
  REQUIRE_FALSE(group);
  CHECK(contains(group.error(), "no group \"no-such-group\""));
  CHECK_FALSE(std::filesystem::exists(dir.file("s")));
}

TEST_CASE("the socket file belongs to the asked group") {
  const TempDir dir;
  const auto listener =
      Listener::open(unix_address(dir.file("s"), ",group=" + std::to_string(::getgid())));
  REQUIRE_MESSAGE(listener.has_value(), listener.error());
  struct stat status {};
  REQUIRE(::lstat(dir.file("s").c_str(), &status) == 0);
  CHECK(status.st_gid == ::getgid());
}

TEST_CASE("a TCP port that is taken is refused with its address") {
  const auto first = Listener::open(*parse_listen_address("inet:127.0.0.1:0"));
  REQUIRE_MESSAGE(first.has_value(), first.error());
  CHECK(first->port() != 0);
  const std::string text = "inet:127.0.0.1:" + std::to_string(first->port());
  const auto second = Listener::open(*parse_listen_address(text));
  REQUIRE_FALSE(second);
  CHECK(contains(second.error(), text));
}

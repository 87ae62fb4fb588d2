// SPDX-License-Identifier: Apache-2.0
// A blocking client for tests: what Postfix does, and what Postfix would never do.
#pragma once

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "server/netstring.h"

namespace sealane {

class SocketClient {
 public:
  /// Longest wait for anything, so that a failing test ends.
  static constexpr int kPatience = 20;

  explicit SocketClient(const std::string& path) : SocketClient(AF_UNIX) { connect(path); }
  explicit SocketClient(std::uint16_t port) : SocketClient(AF_INET) {
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_port = htons(port);
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&name), sizeof name) == 0;
  }
  /// Not connected yet.
  static SocketClient unconnected() { return SocketClient(AF_UNIX); }
  void connect(const std::string& path) {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    std::strncpy(name.sun_path, path.c_str(), sizeof name.sun_path - 1);
    connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&name), sizeof name) == 0;
  }
  SocketClient(SocketClient&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), connected_(other.connected_), in_(other.in_) {}
  SocketClient& operator=(SocketClient&&) = delete;
  ~SocketClient() { leave(); }

  bool connected() const { return connected_; }
  void leave() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  /// Waits until the other side has taken all that was sent (unix sockets only).
  void wait_until_read() {
    int unread = 1;
    for (int i = 0; i < kPatience * 1000 && unread > 0; ++i) {
      REQUIRE(::ioctl(fd_, SIOCOUTQ, &unread) == 0);
      ::usleep(1000);
    }
    REQUIRE(unread == 0);
  }
  void finish_sending() { ::shutdown(fd_, SHUT_WR); }

  bool send(std::string_view octets) {
    while (!octets.empty()) {
      const ssize_t sent = ::send(fd_, octets.data(), octets.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      octets.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  bool ask(std::string_view payload) {
    std::string request;
    append_netstring(request, payload);
    return send(request);
  }

  /// The next reply; "<end>" when the server has closed, "<silence>" when nothing comes.
  std::string reply() {
    for (;;) {
      const Netstring read = parse_netstring(in_, 200'000);
      REQUIRE(read.status != Netstring::Status::junk);
      if (read.status == Netstring::Status::complete) {
        std::string payload(read.payload);
        in_.erase(0, read.consumed);
        return payload;
      }
      if (const std::string problem = more(); !problem.empty()) return problem;
    }
  }
  /// All octets up to and with `end`; what came if the server closes before.
  std::string until(std::string_view end) {
    std::size_t at = in_.find(end);
    while (at == std::string::npos && more().empty()) at = in_.find(end);
    const std::size_t size = at == std::string::npos ? in_.size() : at + end.size();
    std::string text = in_.substr(0, size);
    in_.erase(0, size);
    return text;
  }
  /// All octets until the server closes.
  std::string all() {
    while (more().empty()) {
    }
    return std::exchange(in_, {});
  }

 private:
  explicit SocketClient(int family) : fd_(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    REQUIRE(fd_ >= 0);
    const timeval patience{kPatience, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  }
  std::string more() {
    char room[16 * 1024];
    const ssize_t read = ::recv(fd_, room, sizeof room, 0);
    if (read < 0 && errno == EAGAIN) return "<silence>";
    if (read <= 0) return "<end>";
    in_.append(room, static_cast<std::size_t>(read));
    return {};
  }

  int fd_;
  bool connected_ = false;
  std::string in_;
};

}  // namespace sealane

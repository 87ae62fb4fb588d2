// SPDX-License-Identifier: Apache-2.0
#include "cli/admin_client.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include "base/text.h"

namespace sealane {
namespace {

constexpr std::string_view kHeadEnd = "\r\n\r\n";

/// A connected socket, closed at the end.
class Connection {
 public:
  explicit Connection(int descriptor) : descriptor_(descriptor) {}
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() { ::close(descriptor_); }

  Result<void> connect(const std::string& path) {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof name.sun_path) return failure("not a socket path");
    std::memcpy(name.sun_path, path.data(), path.size());
    const timeval patience{kAdminClientPatience.count(), 0};
    ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ::setsockopt(descriptor_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (::connect(descriptor_, reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0) {
      return failure("{}", std::strerror(errno));
    }
    return {};
  }

  Result<void> send(std::string_view octets) {
    while (!octets.empty()) {
      const ssize_t sent = ::send(descriptor_, octets.data(), octets.size(), MSG_NOSIGNAL);
      if (sent < 0) return failure("{}", std::strerror(errno));
      octets.remove_prefix(static_cast<std::size_t>(sent));
    }
    return {};
  }

  Result<std::string> receive_all() {
    std::string out;
    std::array<char, 16 * 1024> room;
    for (;;) {
      const ssize_t read = ::recv(descriptor_, room.data(), room.size(), 0);
      if (read == 0) return out;
      if (read < 0 && errno == EAGAIN) return failure("no answer");
      if (read < 0) return failure("{}", std::strerror(errno));
      out.append(room.data(), static_cast<std::size_t>(read));
      if (out.size() > kMaxAdminAnswer) return failure("the answer is too long");
    }
  }

 private:
  int descriptor_;
};

/// An answer to a request that asked for "Connection: close": its body ends with the connection.
std::optional<AdminAnswer> parse_answer(std::string_view octets) {
  const std::size_t end = octets.find(kHeadEnd);
  if (!octets.starts_with("HTTP/1.1 ") || end == std::string_view::npos) return std::nullopt;
  const auto status = parse_decimal(octets.substr(9, 3), 599);
  if (!status) return std::nullopt;
  AdminAnswer answer;
  answer.status = static_cast<int>(*status);
  answer.body = trim(octets.substr(end + kHeadEnd.size()), "\n");
  return answer;
}

Result<std::string> exchange(const std::string& path, std::string_view target) {
  const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return failure("{}", std::strerror(errno));
  Connection connection(descriptor);
  if (const auto connected = connection.connect(path); !connected) {
    return tl::unexpected(connected.error());
  }
  const auto sent = connection.send(
      fmt::format("GET {} HTTP/1.1\r\nHost: sealane\r\nConnection: close\r\n\r\n", target));
  if (!sent) return tl::unexpected(sent.error());
  return connection.receive_all();
}

}  // namespace

Result<AdminAnswer> admin_get(std::string_view address, std::string_view target) {
  constexpr std::string_view kScheme = "unix:";
  if (!address.starts_with(kScheme)) return failure("{}: not unix:PATH", escape(address));
  const Result<std::string> octets = exchange(std::string(address.substr(kScheme.size())), target);
  if (!octets) return failure("{}: {}", escape(address), octets.error());
  std::optional<AdminAnswer> answer = parse_answer(*octets);
  if (!answer) return failure("{}: the answer is not one of sealaned", escape(address));
  return std::move(*answer);
}

std::string percent_encoded(std::string_view text) {
  std::string out;
  for (char c : text) {
    const bool plain = is_alpha(c) || is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~';
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

}  // namespace sealane

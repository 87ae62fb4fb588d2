// SPDX-License-Identifier: Apache-2.0
#include "cli/admin_client.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/text.h"
#include "cli/reply_reader.h"

namespace sealane {
namespace {

/// A connected socket, closed at the end.
class Connection {
 public:
  explicit Connection(int descriptor) : descriptor_(descriptor) {}
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() { ::close(descriptor_); }

  Result<void> connect(const std::string& path, std::chrono::seconds limit) {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof name.sun_path) return failure("not a socket path");
    std::memcpy(name.sun_path, path.data(), path.size());
    const timeval patience{limit.count(), 0};
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

  /// What comes next; nothing at the end.
  Result<std::string_view> receive() {
    const ssize_t read = ::recv(descriptor_, room_.data(), room_.size(), 0);
    if (read < 0 && errno == EAGAIN) return failure("no answer");
    if (read < 0) return failure("{}", std::strerror(errno));
    return std::string_view(room_.data(), static_cast<std::size_t>(read));
  }

 private:
  int descriptor_;
  std::array<char, 64 * 1024> room_;
};

std::string head_of(const AdminRequest& request) {
  std::string head = fmt::format("{} {} HTTP/1.1\r\nHost: sealane\r\nConnection: close\r\n",
                                 request.method, request.target);
  if (!request.body.empty()) head += fmt::format("Content-Length: {}\r\n", request.body.size());
  return head + "\r\n";
}

/// Hands out the whole lines; false if no more is wanted.
bool hand_out(std::string& body, const AdminLineSink& sink) {
  std::size_t at = 0;
  bool more = true;
  for (std::size_t end = body.find('\n'); more && end != std::string::npos;
       end = body.find('\n', at)) {
    more = sink(std::string_view(body).substr(at, end - at));
    at = end + 1;
  }
  body.erase(0, at);
  return more;
}

Result<AdminAnswer> exchange(const std::string& path, const AdminRequest& request,
                             const AdminLineSink* sink) {
  const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return failure("{}", std::strerror(errno));
  Connection connection(descriptor);
  if (const auto connected = connection.connect(path, request.patience); !connected) {
    return tl::unexpected(connected.error());
  }
  for (const std::string& part : {head_of(request), request.body}) {
    if (const auto sent = connection.send(part); !sent) return tl::unexpected(sent.error());
  }
  AdminReplyReader reader;
  for (;;) {
    const Result<std::string_view> octets = connection.receive();
    if (!octets) return tl::unexpected(octets.error());
    if (octets->empty()) break;
    if (!reader.take(*octets)) return failure("the answer is not one of sealaned");
    const bool lines = sink != nullptr && reader.status() == 200;
    if (lines && !hand_out(reader.body(), *sink)) return AdminAnswer{reader.status(), {}};
    if (reader.body().size() > kMaxAdminAnswer) return failure("the answer is too long");
  }
  if (reader.status() == 0) return failure("the answer is not one of sealaned");
  if (!reader.end()) return failure("the answer is cut short");
  return AdminAnswer{reader.status(), std::string(trim(reader.body(), "\n"))};
}

Result<AdminAnswer> ask(std::string_view address, const AdminRequest& request,
                        const AdminLineSink* sink) {
  constexpr std::string_view kScheme = "unix:";
  if (!address.starts_with(kScheme)) return failure("{}: not unix:PATH", escape(address));
  auto answer = exchange(std::string(address.substr(kScheme.size())), request, sink);
  if (!answer) return failure("{}: {}", escape(address), answer.error());
  return answer;
}

}  // namespace

Result<AdminAnswer> admin_ask(std::string_view address, const AdminRequest& request) {
  return ask(address, request, nullptr);
}

Result<AdminAnswer> admin_get(std::string_view address, std::string_view target) {
  return ask(address, {std::string(target)}, nullptr);
}

Result<AdminAnswer> admin_lines(std::string_view address, const AdminRequest& request,
                                const AdminLineSink& sink) {
  return ask(address, request, &sink);
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

// SPDX-License-Identifier: Apache-2.0
#include "server/listener.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "base/descriptor.h"
#include "base/text.h"

namespace sealane {
namespace {

std::string error_text(int error) { return std::strerror(error); }

std::optional<mode_t> parse_mode(std::string_view digits) {
  if (digits.empty() || digits.size() > 4) return std::nullopt;
  mode_t mode = 0;
  for (char c : digits) {
    if (c < '0' || c > '7') return std::nullopt;
    mode = mode * 8 + static_cast<mode_t>(c - '0');
  }
  if (mode > 0777) return std::nullopt;
  return mode;
}

Result<ListenAddress> parse_unix(std::string_view text, mode_t default_mode) {
  const std::vector<std::string_view> parts = split(text, ',');
  ListenAddress address;
  address.path = parts.front();
  address.mode = default_mode;
  if (address.path.empty() || address.path.front() != '/') {
    return failure("a unix socket needs an absolute path: unix:/PATH[,mode=0660][,group=NAME]");
  }
  if (address.path.size() > kMaxSocketPath) {
    return failure("the path of a unix socket has at most {} octets", kMaxSocketPath);
  }
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const std::string_view part = parts[i];
    if (part.starts_with("mode=")) {
      const auto mode = parse_mode(part.substr(5));
      if (!mode) return failure("mode= wants octal rights such as 0660");
      address.mode = *mode;
    } else if (part.starts_with("group=") && part.size() > 6) {
      address.group = part.substr(6);
    } else {
      return failure("unknown \"{}\"; allowed after the path are mode=0660 and group=NAME",
                     escape(part));
    }
  }
  return address;
}

Result<ListenAddress> parse_inet(std::string_view text) {
  constexpr std::string_view usage =
      "inet:HOST:PORT wants an address, such as inet:127.0.0.1:8461 "
      "or inet:[::1]:8461";
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return failure("{}", usage);
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const auto port = parse_decimal(text.substr(colon + 1), 65535);
  const bool v6 = host.find(':') != std::string_view::npos;
  if (!port || !is_ip_address(host) || bracketed != v6) return failure("{}", usage);
  ListenAddress address;
  address.host = host;
  address.port = static_cast<std::uint16_t>(*port);
  return address;
}

sockaddr_un unix_name(const std::string& path) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  std::memcpy(name.sun_path, path.data(), path.size());
  return name;
}

const sockaddr* generic(const sockaddr_un& name) {
  return reinterpret_cast<const sockaddr*>(&name);
}

/// Whether somebody listens on the socket file: tries to connect, as only that can tell.
Result<bool> is_live(const std::string& path) {
  const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (probe < 0) return failure("{}", error_text(errno));
  const sockaddr_un name = unix_name(path);
  const int outcome = ::connect(probe, generic(name), sizeof name);
  const int error = errno;
  ::close(probe);
  if (outcome == 0 || error == EAGAIN || error == EPROTOTYPE) return true;
  if (error == ECONNREFUSED) return false;
  return failure("cannot tell whether it is in use: {}", error_text(error));
}

/// Removes a socket file that a daemon left behind.  Nothing else is ever removed.
Result<void> clear_the_way(const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return {};
    return failure("{}", error_text(errno));
  }
  if (!S_ISSOCK(status.st_mode)) {
    return failure("a file that is no socket is in the way; remove it by hand if nobody needs it");
  }
  const Result<bool> live = is_live(path);
  if (!live) return tl::unexpected(live.error());
  if (*live) return failure("another process listens there; is sealaned running already?");
  if (::unlink(path.c_str()) != 0) {
    return failure("cannot remove the stale socket: {}", error_text(errno));
  }
  return {};
}

Result<gid_t> group_named(const std::string& name) {
  if (const auto number = parse_decimal(name, 0xfffffffe)) return static_cast<gid_t>(*number);
  std::vector<char> room(64 * 1024);  // generous: a group's member list may be long
  group entry{};
  group* found = nullptr;
  const int error = ::getgrnam_r(name.c_str(), &entry, room.data(), room.size(), &found);
  if (found == nullptr) {
    return failure("there is no group \"{}\"{}", escape(name),
                   error == 0 ? "" : " (" + error_text(error) + ")");
  }
  return entry.gr_gid;
}

}  // namespace

bool ListenAddress::is_remote() const {
  return !is_unix() && host != "::1" && !host.starts_with("127.");
}

std::string ListenAddress::text() const {
  if (!is_unix()) {
    const bool v6 = host.find(':') != std::string::npos;
    return v6 ? fmt::format("inet:[{}]:{}", host, port) : fmt::format("inet:{}:{}", host, port);
  }
  return fmt::format("unix:{},mode={:04o}{}{}", path, mode, group.empty() ? "" : ",group=", group);
}

Result<ListenAddress> parse_listen_address(std::string_view text, mode_t default_mode) {
  if (text.starts_with("unix:")) return parse_unix(text.substr(5), default_mode);
  if (text.starts_with("inet:")) return parse_inet(text.substr(5));
  return failure("allowed are unix:/PATH[,mode=0660][,group=NAME] and inet:HOST:PORT");
}

Result<Listener> Listener::open(const ListenAddress& address) {
  int family = AF_UNIX;
  if (!address.is_unix()) {
    family = address.host.find(':') == std::string::npos ? AF_INET : AF_INET6;
  }
  const int descriptor = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor < 0) return failure("{}: {}", address.text(), error_text(errno));
  Listener listener(address, family, descriptor);
  const Result<void> bound = address.is_unix() ? listener.bind_unix() : listener.bind_inet();
  if (!bound) return failure("{}: {}", address.text(), bound.error());
  if (::listen(descriptor, kListenBacklog) != 0) {
    return failure("{}: listen: {}", address.text(), error_text(errno));
  }
  return listener;
}

Listener::Listener(ListenAddress address, int family, int descriptor)
    : address_(std::move(address)), family_(family), descriptor_(descriptor) {}

Listener::Listener(Listener&& other) noexcept
    : address_(std::move(other.address_)),
      family_(other.family_),
      descriptor_(std::exchange(other.descriptor_, -1)),
      port_(other.port_),
      owns_file_(std::exchange(other.owns_file_, false)),
      device_(other.device_),
      inode_(other.inode_) {}

Listener::~Listener() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!owns_file_) return;
  struct stat status {};
  const bool there = ::lstat(address_.path.c_str(), &status) == 0;
  if (there && status.st_dev == device_ && status.st_ino == inode_) {
    ::unlink(address_.path.c_str());
  }
}

int Listener::release() { return std::exchange(descriptor_, -1); }

Result<void> Listener::bind_unix() {
  const std::string& path = address_.path;
  if (const Result<void> clear = clear_the_way(path); !clear) return clear;
  std::optional<gid_t> group;
  if (!address_.group.empty()) {
    const Result<gid_t> found = group_named(address_.group);
    if (!found) return tl::unexpected(found.error());
    group = *found;
  }

  // Nobody else may connect before the rights are what was asked for: the file is born 0600, and
  // connecting is refused until listen() anyway.
  const sockaddr_un name = unix_name(path);
  const mode_t before = ::umask(0177);
  const int outcome = ::bind(descriptor_, generic(name), sizeof name);
  const int error = errno;
  ::umask(before);
  if (outcome != 0) {
    if (error == ENOENT) return failure("its directory does not exist");
    return failure("bind: {}", error_text(error));
  }

  // From here on by a handle: whoever may write to the directory could put a link in its place.
  const Descriptor file(::open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0) return failure("{}", error_text(errno));
  if (!S_ISSOCK(status.st_mode)) return failure("somebody has put another file in its place");
  owns_file_ = true;
  device_ = status.st_dev;
  inode_ = status.st_ino;
  if (group && ::fchownat(file.get(), "", static_cast<uid_t>(-1), *group, AT_EMPTY_PATH) != 0) {
    return failure("cannot give it to group {}: {} (be a member of the group, or root)",
                   address_.group, error_text(errno));
  }
  // fchmod(2) takes no such handle; /proc names what it stands for.
  const std::string handle = fmt::format("/proc/self/fd/{}", file.get());
  if (::chmod(handle.c_str(), address_.mode) != 0) return failure("chmod: {}", error_text(errno));
  return {};
}

Result<void> Listener::bind_inet() {
  const int on = 1;
  ::setsockopt(descriptor_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_storage name{};
  socklen_t size = 0;
  if (family_ == AF_INET) {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&name);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(address_.port);
    ::inet_pton(AF_INET, address_.host.c_str(), &v4->sin_addr);
    size = sizeof *v4;
  } else {
    ::setsockopt(descriptor_, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&name);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(address_.port);
    ::inet_pton(AF_INET6, address_.host.c_str(), &v6->sin6_addr);
    size = sizeof *v6;
  }
  if (::bind(descriptor_, reinterpret_cast<const sockaddr*>(&name), size) != 0) {
    return failure("bind: {}", error_text(errno));
  }
  if (::getsockname(descriptor_, reinterpret_cast<sockaddr*>(&name), &size) != 0) {
    return failure("getsockname: {}", error_text(errno));
  }
  port_ = ntohs(family_ == AF_INET ? reinterpret_cast<sockaddr_in*>(&name)->sin_port
                                   : reinterpret_cast<sockaddr_in6*>(&name)->sin6_port);
  return {};
}

Result<std::vector<Listener>> open_listeners(const std::vector<ListenAddress>& addresses) {
  std::vector<Listener> listeners;
  for (const ListenAddress& address : addresses) {
    Result<Listener> listener = Listener::open(address);
    if (!listener) return tl::unexpected(std::move(listener.error()));
    listeners.push_back(std::move(*listener));
  }
  return listeners;
}

}  // namespace sealane

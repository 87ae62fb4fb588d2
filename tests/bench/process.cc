// SPDX-License-Identifier: Apache-2.0
#include "process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <vector>

#include "base/text.h"

namespace bench {
namespace {

/// Connections that may wait to be accepted: as many as one flood of ours opens.
constexpr int kBacklog = 4096;

std::uint64_t from_schedstat(const std::string& process) {
  std::uint64_t total = 0;
  std::error_code gone;
  for (const auto& thread : std::filesystem::directory_iterator(process + "/task", gone)) {
    std::uint64_t running = 0;
    std::ifstream(thread.path() / "schedstat") >> running;
    total += running;
  }
  return total;
}

std::uint64_t from_stat(const std::string& process) {
  std::ifstream file(process + "/stat");
  std::string text;
  std::getline(file, text);
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return 0;
  const auto fields = sealane::words(std::string_view(text).substr(name_end + 1));
  constexpr std::size_t kUserTicks = 11;  // counted behind the name; system ticks come next
  if (fields.size() <= kUserTicks + 1) return 0;
  const auto ticks = std::strtoull(fields[kUserTicks].data(), nullptr, 10) +
                     std::strtoull(fields[kUserTicks + 1].data(), nullptr, 10);
  return ticks * (1'000'000'000 / static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK)));
}

struct Address {
  sockaddr_storage name{};
  socklen_t size = 0;
  const sockaddr* generic() const { return reinterpret_cast<const sockaddr*>(&name); }
};

Address unix_address(const std::string& path) {
  Address address;
  auto* name = reinterpret_cast<sockaddr_un*>(&address.name);
  if (path.size() >= sizeof name->sun_path) die(path + ": too long for a socket's name");
  name->sun_family = AF_UNIX;
  std::memcpy(name->sun_path, path.data(), path.size());
  address.size = sizeof *name;
  return address;
}

Address inet_address(const std::string& text) {
  Address address;
  auto* name = reinterpret_cast<sockaddr_in*>(&address.name);
  const std::size_t colon = text.rfind(':');
  const auto port = sealane::parse_decimal(
      colon == std::string::npos ? std::string_view() : std::string_view(text).substr(colon + 1),
      65535);
  name->sin_family = AF_INET;
  if (!port || ::inet_pton(AF_INET, text.substr(0, colon).c_str(), &name->sin_addr) != 1) {
    die(text + ": not ADDRESS:PORT");
  }
  name->sin_port = htons(static_cast<std::uint16_t>(*port));
  address.size = sizeof *name;
  return address;
}

Address address_of(const std::string& text) {
  if (text.starts_with("unix:")) return unix_address(text.substr(5));
  if (text.starts_with("inet:")) return inet_address(text.substr(5));
  die(text + ": neither unix:PATH nor inet:ADDRESS:PORT");
}

int socket_for(const Address& address) {
  const int descriptor = ::socket(address.name.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) die_of_errno("socket");
  return descriptor;
}

}  // namespace

void die(std::string_view text) {
  std::cerr << "bench: " << text << '\n';
  std::exit(2);
}

void die_of_errno(std::string_view doing) {
  const std::string cause = std::strerror(errno);
  die(std::string(doing) + ": " + cause);
}

std::uint64_t cpu_nanoseconds(int pid) {
  const std::string process = "/proc/" + std::to_string(pid);
  const std::uint64_t exact = from_schedstat(process);
  return exact != 0 ? exact : from_stat(process);
}

std::uint64_t memory_kib(int pid, std::string_view field) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(field)) continue;
    return std::strtoull(line.c_str() + field.size() + 1, nullptr, 10);
  }
  return 0;
}

int connect_to(const std::string& text) {
  const Address address = address_of(text);
  const int descriptor = socket_for(address);
  if (::connect(descriptor, address.generic(), address.size) != 0) die_of_errno(text);
  return descriptor;
}

int listen_on(const std::string& text) {
  const Address address = address_of(text);
  const int descriptor = socket_for(address);
  const int on = 1;
  ::setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(descriptor, address.generic(), address.size) != 0 ||
      ::listen(descriptor, kBacklog) != 0) {
    die_of_errno(text);
  }
  return descriptor;
}

void make_nonblocking(int descriptor) {
  if (::fcntl(descriptor, F_SETFL, O_NONBLOCK) != 0) die_of_errno("fcntl");
}

}  // namespace bench

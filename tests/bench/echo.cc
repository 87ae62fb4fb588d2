// SPDX-License-Identifier: Apache-2.0
// A bare netstring echo: what this machine can do at best, were there nothing to think about.
//
//   bench-echo ADDRESS...      prints "ready" when it listens
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <unordered_map>
#include <vector>

#include "process.h"

namespace {

/// Octets of the longest request; the bench's own are far shorter.
constexpr std::size_t kRoom = 1024;
constexpr int kEvents = 256;

struct Connection {
  int descriptor;
  std::size_t filled = 0;
  std::array<char, kRoom> room;
};

/// Octets of the complete netstrings at the beginning.
std::size_t complete(const Connection& connection) {
  std::size_t done = 0;
  while (done < connection.filled) {
    std::size_t length = 0;
    std::size_t at = done;
    for (; at < connection.filled && connection.room[at] != ':'; ++at) {
      length = length * 10 + static_cast<std::size_t>(connection.room[at] - '0');
    }
    if (at + length + 2 > connection.filled) break;
    done = at + length + 2;
  }
  return done;
}

/// False when the connection has ended.
bool serve(Connection& connection) {
  const ssize_t got = ::recv(connection.descriptor, connection.room.data() + connection.filled,
                             kRoom - connection.filled, 0);
  if (got <= 0) return false;
  connection.filled += static_cast<std::size_t>(got);
  const std::size_t ready = complete(connection);
  if (ready == 0) return connection.filled < kRoom;
  if (::send(connection.descriptor, connection.room.data(), ready, MSG_NOSIGNAL) !=
      static_cast<ssize_t>(ready)) {
    return false;
  }
  std::copy(connection.room.begin() + static_cast<std::ptrdiff_t>(ready),
            connection.room.begin() + static_cast<std::ptrdiff_t>(connection.filled),
            connection.room.begin());
  connection.filled -= ready;
  return true;
}

void watch(int poll, int descriptor) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = descriptor;
  if (::epoll_ctl(poll, EPOLL_CTL_ADD, descriptor, &event) != 0) bench::die_of_errno("epoll_ctl");
}

}  // namespace

int main(int argc, char** argv) {
  const int poll = ::epoll_create1(EPOLL_CLOEXEC);
  std::unordered_map<int, std::unique_ptr<Connection>> connections;
  std::vector<bool> listening;
  for (int i = 1; i < argc; ++i) {
    const int listener = bench::listen_on(argv[i]);
    listening.resize(static_cast<std::size_t>(listener) + 1);
    listening[static_cast<std::size_t>(listener)] = true;
    watch(poll, listener);
  }
  std::puts("ready");
  std::fflush(stdout);

  std::array<epoll_event, kEvents> events;
  for (;;) {
    const int ready = ::epoll_wait(poll, events.data(), kEvents, -1);
    for (int i = 0; i < ready; ++i) {
      const int descriptor = events[static_cast<std::size_t>(i)].data.fd;
      const auto index = static_cast<std::size_t>(descriptor);
      if (index < listening.size() && listening[index]) {
        const int taken = ::accept4(descriptor, nullptr, nullptr, SOCK_CLOEXEC);
        if (taken < 0) continue;
        connections[taken] = std::make_unique<Connection>(Connection{taken, 0, {}});
        watch(poll, taken);
        continue;
      }
      if (serve(*connections[descriptor])) continue;
      connections.erase(descriptor);
      ::close(descriptor);
    }
  }
}

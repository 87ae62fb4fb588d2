// SPDX-License-Identifier: Apache-2.0
#include "adapters/dns/getdns_loop.h"

#include <doctest/doctest.h>
#include <getdns/getdns_extra.h>
#include <unistd.h>

#include <array>
#include <boost/asio/io_context.hpp>

using namespace sealane;

namespace {

constexpr std::uint64_t kNever = ~std::uint64_t{0};

/// An event that counts, and clears itself after some reads.
struct Counted {
  explicit Counted(GetdnsLoop& of) : loop(of.get()) {
    event.userarg = this;
    event.timeout_cb = [](void* self) { ++static_cast<Counted*>(self)->timeouts; };
  }
  void read_until(int count) {
    clear_after = count;
    event.read_cb = [](void* self) { static_cast<Counted*>(self)->on_read(); };
  }
  void on_read() {
    char octet = 0;
    REQUIRE(read(fd, &octet, 1) == 1);
    if (++reads == clear_after) clear();
  }
  void schedule(int on, std::uint64_t timeout) {
    fd = on;
    REQUIRE(loop->vmt->schedule(loop, on, timeout, &event) == GETDNS_RETURN_GOOD);
  }
  void clear() { loop->vmt->clear(loop, &event); }

  getdns_eventloop* loop;
  getdns_eventloop_event event{};
  int fd = -1;
  int clear_after = 0;
  int reads = 0;
  int timeouts = 0;
};

struct Pipe {
  Pipe() { REQUIRE(pipe(ends.data()) == 0); }
  ~Pipe() {
    close(ends[0]);
    close(ends[1]);
  }
  void put(const char* octets, std::size_t count) {
    REQUIRE(write(ends[1], octets, count) == static_cast<ssize_t>(count));
  }
  std::array<int, 2> ends{};
};

}  // namespace

TEST_CASE("a readable descriptor calls back until it is cleared, also from inside") {
  boost::asio::io_context io;
  GetdnsLoop loop(io.get_executor());
  Pipe pipe;
  pipe.put("abc", 3);
  Counted counted(loop);
  counted.read_until(2);
  counted.schedule(pipe.ends[0], kNever);
  io.run();
  CHECK(counted.reads == 2);
  CHECK(counted.event.ev == nullptr);
  char left = 0;
  CHECK(read(pipe.ends[0], &left, 1) == 1);  // still open: the descriptor is not ours to close
}

TEST_CASE("a timer without a descriptor fires once") {
  boost::asio::io_context io;
  GetdnsLoop loop(io.get_executor());
  Counted counted(loop);
  counted.schedule(-1, 5);
  io.run();
  CHECK(counted.timeouts == 1);
  counted.clear();
}

TEST_CASE("the timer of a descriptor that is already closed fires") {
  boost::asio::io_context io;
  GetdnsLoop loop(io.get_executor());
  Counted counted(loop);
  int closed = 0;
  {
    Pipe pipe;
    closed = pipe.ends[0];
  }
  counted.read_until(1);
  counted.schedule(closed, 5);
  io.run();
  CHECK(counted.timeouts == 1);
  CHECK(counted.reads == 0);
  counted.clear();
}

TEST_CASE("a cleared event stays silent, even if its timer has run out already") {
  boost::asio::io_context io;
  GetdnsLoop loop(io.get_executor());
  Counted counted(loop);
  counted.schedule(-1, 0);
  usleep(2000);
  counted.clear();
  counted.clear();
  io.run();
  CHECK(counted.timeouts == 0);
}

// SPDX-License-Identifier: Apache-2.0
// Reads what a test logs.
#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <string>

namespace sealane {

/// Standard error is a pipe that is read when the test says so, and as before at the end.
class PipedErrors {
 public:
  PipedErrors() : before_(::dup(STDERR_FILENO)) {
    REQUIRE(::pipe2(ends_.data(), O_CLOEXEC) == 0);
    REQUIRE(::fcntl(ends_[0], F_SETFL, O_NONBLOCK) == 0);
    REQUIRE(::dup2(ends_[1], STDERR_FILENO) == STDERR_FILENO);
    ::close(ends_[1]);
  }
  PipedErrors(const PipedErrors&) = delete;
  PipedErrors& operator=(const PipedErrors&) = delete;
  ~PipedErrors() {
    ::dup2(before_, STDERR_FILENO);
    ::close(before_);
    ::close(ends_[0]);
  }

  /// What is there.
  std::string read() const {
    std::string text;
    std::array<char, 4096> room;
    for (;;) {
      const ssize_t got = ::read(ends_[0], room.data(), room.size());
      if (got <= 0) return text;
      text.append(room.data(), static_cast<std::size_t>(got));
    }
  }

 private:
  int before_;
  std::array<int, 2> ends_{-1, -1};
};

}  // namespace sealane

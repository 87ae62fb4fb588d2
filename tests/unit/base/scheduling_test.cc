// SPDX-License-Identifier: Apache-2.0
#include "base/scheduling.h"

#include <doctest/doctest.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <thread>

using namespace sealane;

namespace {

/// Of the calling thread; the kernel's `struct sched_attr` has it in its fourth word of 64 bits or,
/// before Linux 6.12, nothing.
std::uint64_t slice_nanoseconds() {
  std::array<std::uint64_t, 6> attributes{};
  REQUIRE(::syscall(SYS_sched_getattr, 0, attributes.data(), sizeof attributes, 0) == 0);
  return attributes[3];
}

template <class Work>
void on_a_thread(Work work) {
  std::thread(work).join();
}

}  // namespace

TEST_CASE("short slices are for the calling thread, where the kernel knows of them") {
  const std::uint64_t before = slice_nanoseconds();
  std::uint64_t asked = 0;
  int policy = -1;
  on_a_thread([&] {
    ask_for_short_slices();
    asked = slice_nanoseconds();
    policy = ::sched_getscheduler(0);
  });
  CHECK(policy == SCHED_OTHER);
  CHECK(asked == (before == 0 ? 0 : 100'000));
  CHECK(slice_nanoseconds() == before);
}

TEST_CASE("stepping behind is for the calling thread alone") {
  const int before = ::getpriority(PRIO_PROCESS, 0);
  int behind = 0;
  on_a_thread([&] {
    step_behind(before + 3);
    behind = ::getpriority(PRIO_PROCESS, 0);
  });
  CHECK(behind == before + 3);
  CHECK(::getpriority(PRIO_PROCESS, 0) == before);
}

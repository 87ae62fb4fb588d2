// SPDX-License-Identifier: Apache-2.0
#include "base/scheduling.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace sealane {
namespace {

/// The shortest that Linux takes; an answer that is known takes a fiftieth of it.
constexpr std::uint64_t kSliceNanoseconds = 100'000;

/// `struct sched_attr` of the kernel, as it was first.  Its header and that of older C libraries
/// define the same names.
struct SchedulingAttributes {
  std::uint32_t size;
  std::uint32_t policy;
  std::uint64_t flags;
  std::int32_t niceness;
  std::uint32_t priority;
  std::uint64_t runtime;
  std::uint64_t deadline;
  std::uint64_t period;
};

}  // namespace

void ask_for_short_slices() {
  SchedulingAttributes wanted{};
  if (::syscall(SYS_sched_getattr, 0, &wanted, sizeof wanted, 0) != 0) return;
  if (wanted.policy != SCHED_OTHER) return;  // the operator has chosen another
  wanted.runtime = kSliceNanoseconds;
  ::syscall(SYS_sched_setattr, 0, &wanted, 0);
}

void step_behind(int niceness) {
  ::setpriority(PRIO_PROCESS, 0, niceness);  // Linux: of the calling thread
}

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
// What a thread tells the kernel of its work.  Hints: where they are refused, all works, later.
#pragma once

namespace sealane {

/// The calling thread works in bursts that are shorter than any time slice, and whoever waits for
/// them should not wait for others' slices: Linux 6.12 and later lets such a thread run at once
/// when it wakes, and takes nothing from anybody's share.  Earlier kernels ignore it.
void ask_for_short_slices();

/// The calling thread comes behind others when processors are scarce; `niceness` as nice(1) has it.
void step_behind(int niceness);

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
// What the programs of the bench share: processor time and memory of a process, addresses, and
// dying with a word.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace bench {

/// Ends the program with status 2.
[[noreturn]] void die(std::string_view text);
/// The same with the text of errno.
[[noreturn]] void die_of_errno(std::string_view doing);

/// Processor time of all threads of a process so far, in nanoseconds: from schedstat, or where the
/// kernel does not keep it from stat, whose unit is a clock tick.
std::uint64_t cpu_nanoseconds(int pid);

/// Resident memory of a process in KiB: "VmRSS" now, "VmHWM" at most.
std::uint64_t memory_kib(int pid, std::string_view field);

/// "unix:PATH" or "inet:ADDRESS:PORT" (IPv4): a connected, or a listening, stream socket.
int connect_to(const std::string& address);
int listen_on(const std::string& address);

void make_nonblocking(int descriptor);

}  // namespace bench

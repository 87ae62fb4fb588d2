// SPDX-License-Identifier: Apache-2.0
// The ways from Postfix's delivery agents to the daemon's sockets, tried as the user that goes
// them.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/doctor/facts.h"

namespace sealane::doctor {

/// For connecting and for one answer; the question needs no lookup.
inline constexpr std::chrono::seconds kContactPatience{5};

/// Says of each table whether it is ours, and tries the way of each delivery agent to it: with the
/// rights of mail_owner if this process is root, else as far as the files' rights can tell.
/// Blocks.
void trace_ways(PostfixFacts& postfix, std::span<const ListenAddress> listeners);

/// Whether the daemon listens at the "inet:HOST:PORT" of a table.
bool listens_at(std::string_view inet_address, std::span<const ListenAddress> listeners);

/// Where the "unix:PATH" of a table leads to, seen from outside: relative paths and those of a
/// chroot begin at the queue directory.
std::string socket_path(std::string_view unix_address, std::string_view queue_directory,
                        bool chroot);

/// The user and groups that a file's rights are judged for.
struct Account {
  uid_t user = 0;
  std::vector<gid_t> groups;
};

/// The first directory on the way to `path`, or the socket there, that does not let the account
/// pass; empty if all do.  The part of the path up to `start` is taken for granted.
std::string obstacle_on(const std::string& path, const std::string& start, const Account& account);

}  // namespace sealane::doctor

// SPDX-License-Identifier: Apache-2.0
// The daemon: builds all objects top-down, runs them on their threads, and takes them down again.
//
// Threads: serving (the caller's; sockets and ready answers), lookup (DNS, HTTPS, decisions), and
// the store's own.  They hand values to each other and share nothing.
#pragma once

#include <chrono>
#include <memory>

#include "base/result.h"
#include "server/config.h"

namespace sealane {

/// At start the resolver may still be coming up itself: how long to go on asking it.
inline constexpr std::chrono::seconds kResolverStartPatience{10};
/// What is under way at the end is given up after this: service managers wait about a minute.
inline constexpr std::chrono::seconds kDrainPatience{20};
/// By how much the lookup thread steps back (nice(1)): a flood of questions that need lookups must
/// not keep those waiting whose answers are known.
inline constexpr int kLookupNiceness = 5;

/// One a process.
class Daemon {
 public:
  /// Opens sockets and store, tests the resolvers.  Fails with a text for the operator.
  /// `command_line` is read again on SIGHUP.
  static Result<std::unique_ptr<Daemon>> create(const CommandLine& command_line, Config config);
  ~Daemon();

  /// Serves until SIGTERM or SIGINT, then drains.  SIGHUP reads log level, CA file and overrides
  /// again.
  void run();

 private:
  class Impl;
  explicit Daemon(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace sealane

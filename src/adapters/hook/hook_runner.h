// SPDX-License-Identifier: Apache-2.0
// Runs the operator's command for events, one process at a time, with the event as JSON on its
// standard input.  There is no shell: the command is a program and its arguments, split at blanks.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "lookup/event.h"

namespace sealane {

struct HookLimits {
  /// A command that runs longer is killed, with its process group.
  std::chrono::milliseconds patience{10'000};
  /// Runs a minute: an incident of the whole Internet must not become a storm of mails.
  std::size_t per_minute = 10;
  /// Events that wait for their run; what comes on top is only in log and history.
  std::size_t waiting = 100;
};

struct HookCounters {
  std::uint64_t runs = 0;
  std::uint64_t failures = 0;  ///< could not be started, killed, or a status that is not 0
  std::uint64_t dropped = 0;   ///< too many at a time
};

/// Lives on the executor's thread.
class HookRunner : public EventSink {
 public:
  /// Fails with a text for the operator if the program is not an absolute path to an executable.
  static Result<std::unique_ptr<HookRunner>> create(boost::asio::any_io_executor executor,
                                                    const std::string& command,
                                                    HookLimits limits = {});
  ~HookRunner() override;

  void note(const Event& event) override;
  /// Kills what runs, and runs nothing more.
  void close();
  const HookCounters& counters() const;

 private:
  class Impl;
  explicit HookRunner(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

/// One JSON object and a line end (docs/formats.md, "Events").
std::string event_json(const Event& event);

}  // namespace sealane

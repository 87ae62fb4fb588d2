// SPDX-License-Identifier: Apache-2.0
// The socket of a TLSRPT collector (tlsrpt-collectd), the same that Postfix 3.10 sends to.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/descriptor.h"
#include "base/result.h"
#include "lookup/clock.h"
#include "lookup/tlsrpt_sink.h"

namespace sealane {

/// A collector that comes and goes is told of this seldom.
inline constexpr std::chrono::minutes kCollectorLogPause{1};

/// Lives on one thread.
class TlsrptCollector : public TlsrptSink {
 public:
  /// Fails if the path cannot be that of a unix socket.  The collector itself need not be there.
  static Result<std::unique_ptr<TlsrptCollector>> create(const std::string& path,
                                                         const Clock& clock);

  /// Never blocks: what the collector does not take at once is dropped.
  Result<void> send(const TlsrptReport& report) override;

 private:
  TlsrptCollector(Descriptor socket, std::string path, const Clock& clock)
      : socket_(std::move(socket)), path_(std::move(path)), clock_(clock) {}
  void tell(bool works, std::string_view cause);

  const Descriptor socket_;
  const std::string path_;
  const Clock& clock_;
  std::optional<bool> told_;  ///< what the log said last
  std::chrono::steady_clock::time_point told_at_{};
};

}  // namespace sealane

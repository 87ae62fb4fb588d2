// SPDX-License-Identifier: Apache-2.0
// By which reports leave for whoever collects them.
#pragma once

#include "base/result.h"
#include "policy/tlsrpt.h"

namespace sealane {

/// Called on the lookup thread; returns at once and never throws.
class TlsrptSink {
 public:
  virtual ~TlsrptSink() = default;
  /// Fails if nobody took the report: why.  It is not kept.
  virtual Result<void> send(const TlsrptReport& report) = 0;
};

}  // namespace sealane

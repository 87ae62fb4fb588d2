// SPDX-License-Identifier: Apache-2.0
// By which reports leave for whoever collects them.
#pragma once

#include "policy/tlsrpt.h"

namespace sealane {

/// Called on the lookup thread; returns at once and never throws.
class TlsrptSink {
 public:
  virtual ~TlsrptSink() = default;
  /// False if nobody took the report.  It is not kept.
  virtual bool send(const TlsrptReport& report) = 0;
};

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
// What the daemon reports by TLSRPT, and to which collector.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>

#include "base/result.h"
#include "lookup/clock.h"
#include "lookup/resolver.h"
#include "lookup/tlsrpt_reporter.h"
#include "lookup/tlsrpt_sink.h"
#include "server/config.h"

namespace sealane {

/// Both are null if nothing is to be reported.
struct DaemonTlsrpt {
  std::unique_ptr<TlsrptSink> collector;
  std::unique_ptr<TlsrptReporter> reporter;
};

/// Fails with a text for the operator.
Result<DaemonTlsrpt> make_tlsrpt(const Config& config, boost::asio::any_io_executor lookup,
                                 Resolver& resolver, const Clock& clock);

}  // namespace sealane

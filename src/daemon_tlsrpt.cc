// SPDX-License-Identifier: Apache-2.0
#include "daemon_tlsrpt.h"

#include <utility>

#include "adapters/tlsrpt/collector.h"

namespace sealane {

Result<DaemonTlsrpt> make_tlsrpt(const Config& config, boost::asio::any_io_executor lookup,
                                 Resolver& resolver, const Clock& clock) {
  DaemonTlsrpt made;
  if (config.tlsrpt_socket.empty()) return made;
  auto collector = TlsrptCollector::create(config.tlsrpt_socket, clock);
  if (!collector) return failure("tlsrpt.socket: {}", collector.error());
  made.collector = std::move(*collector);
  made.reporter = std::make_unique<TlsrptReporter>(std::move(lookup), resolver, *made.collector);
  return made;
}

}  // namespace sealane

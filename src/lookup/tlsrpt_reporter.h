// SPDX-License-Identifier: Apache-2.0
// Reports to a domain what its correspondents' MTAs cannot: that its policy could not be had, and
// which of its MX hosts a policy in testing mode would refuse (RFC 8460).  It waits for nobody and
// nobody waits for it.
//
// Nothing is remembered of what was reported: a failed fetch and a decision are told once, by those
// who make them, and never again from a cache.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "lookup/resolver.h"
#include "lookup/tlsrpt_sink.h"

namespace sealane {

/// Reports that wait for a TLSRPT record at most, one for each domain, so that slow name servers
/// cannot take every place; what comes on top is counted and lost.  Each is a DNS question, of
/// which the resolver has 2,048 for mail.
inline constexpr std::size_t kMaxReportsUnderWay = 64;

struct TlsrptCounters {
  std::uint64_t sent = 0;
  std::uint64_t failed = 0;    ///< nobody took them
  std::uint64_t unwanted = 0;  ///< the domain has no TLSRPT record, or it could not be asked for
  std::uint64_t lost = 0;      ///< too many at a time, or of one domain
  std::string problem;         ///< why nobody took the last one; empty if it was taken
};

/// Lives on the lookup thread.
class TlsrptReporter {
 public:
  /// The references must outlive the executor's last handler.
  TlsrptReporter(boost::asio::any_io_executor lookup, Resolver& resolver, TlsrptSink& sink);
  ~TlsrptReporter();

  /// A fetch for mail has failed, and no policy is in force.
  void fetch_failed(const Domain& domain, TlsrptFailure failure, std::string_view cause);
  /// Mail is answered so.  Most decisions are nothing to report.
  void decided(const DecisionInput& input, const Decision& decision);
  /// Reports nothing more.
  void close();

  const TlsrptCounters& counters() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace sealane

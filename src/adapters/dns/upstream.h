// SPDX-License-Identifier: Apache-2.0
// One resolver that is asked, and what is known of its health.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "adapters/dns/getdns_context.h"
#include "adapters/dns/tcp_queries.h"
#include "adapters/dns/vouching.h"
#include "lookup/clock.h"

namespace sealane {

/// Patience with one packet of a self-test, and how often it is sent.
inline constexpr std::chrono::milliseconds kProbePatience{2000};
inline constexpr int kProbeAttempts = 2;
/// After a self-test that failed, another one is not begun sooner.
inline constexpr std::chrono::seconds kRetestAfter{1};
/// A failing resolver is reported again after this long.
inline constexpr std::chrono::seconds kAlarmPeriod{60};

struct UpstreamRules {
  bool needs_ad = true;  ///< the self-test demands the AD bit
  std::optional<Domain> bogus_canary;
};

struct UpstreamHealth {
  NameServer server;
  bool vouched = false;  ///< it passed its self-test within the last minute
  std::string cause;     ///< what the last self-test complained of; empty if of nothing
  std::uint64_t queries = 0;
  std::uint64_t unanswered = 0;
};

/// Belongs to the lookup thread.  Times called "deadline" and "since" are of the system's steady
/// clock, as timers are; only the age of a self-test goes by the Clock.
class Upstream : public std::enable_shared_from_this<Upstream> {
 public:
  static Result<std::shared_ptr<Upstream>> create(boost::asio::any_io_executor executor,
                                                  const Clock& clock, const NameServer& server,
                                                  UpstreamRules rules);

  /// One packet, and by TCP once more what does not fit into it; nothing if no whole answer came.
  /// `for_key` is the next-hop on whose behalf, if any.
  Task<std::optional<DnsMessage>> query(std::string name, std::uint16_t type,
                                        std::chrono::milliseconds patience,
                                        std::string for_key = {});

  /// Did it pass the self-test within the last minute?  Tests it if need be (one test at a time)
  /// and waits for that until the deadline.
  Task<bool> vouched(SteadyTime deadline);
  /// Has it answered anything at all since then?  Tests it if need be.
  Task<bool> answering(SteadyTime since, SteadyTime deadline);
  /// Runs the whole self-test now, or joins the one under way.
  Task<> test();
  /// Sees to it that a self-test runs soon, and waits for nothing.
  void test_soon();

  /// The last self-test failed: others are to be asked first.
  bool suspect() const { return tested_ && !vouching_.cause().empty(); }
  UpstreamHealth health() const;
  const NameServer& server() const { return server_; }

  void close();

 private:
  Upstream(boost::asio::any_io_executor executor, const Clock& clock, const NameServer& server,
           UpstreamRules rules, std::unique_ptr<GetdnsContext> context);

  static Task<> run_test(std::shared_ptr<Upstream> self);
  Task<std::optional<DnsMessage>> probe(std::string name, std::uint16_t type);
  Task<Probe> test_denial();
  Task<> wait_for_test(SteadyTime deadline);
  void begin_test();
  void end_test();
  void report();

  boost::asio::any_io_executor executor_;
  const Clock& clock_;
  NameServer server_;
  UpstreamRules rules_;
  std::unique_ptr<GetdnsContext> context_;
  TcpQueries tcp_;
  Vouching vouching_;
  bool closed_ = false;
  bool tested_ = false;
  bool testing_ = false;
  std::vector<std::shared_ptr<boost::asio::steady_timer>> waiting_;  ///< for the test's end
  SteadyTime test_began_;
  SteadyTime test_ended_;
  SteadyTime last_answer_;
  std::string reported_;  ///< the cause that was logged last; empty: nothing to complain of
  SteadyTime reported_at_;
  std::uint64_t queries_ = 0;
  std::uint64_t unanswered_ = 0;
};

}  // namespace sealane

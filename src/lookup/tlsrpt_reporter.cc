// SPDX-License-Identifier: Apache-2.0
#include "lookup/tlsrpt_reporter.h"

#include <optional>
#include <set>
#include <string>
#include <utility>

#include "lookup/waiting.h"

namespace sealane {
namespace {

/// Where a domain says that it wants reports (RFC 8460 3); nothing if that name is too long.
std::optional<Domain> record_owner(const Domain& domain) {
  const Result<Domain> parent = domain.below("_tls");
  if (!parent) return std::nullopt;
  Result<Domain> owner = parent->below("_smtp");
  if (!owner) return std::nullopt;
  return *std::move(owner);
}

}  // namespace

class TlsrptReporter::Impl : public std::enable_shared_from_this<TlsrptReporter::Impl> {
 public:
  Impl(boost::asio::any_io_executor lookup, Resolver& resolver, TlsrptSink& sink)
      : lookup_(std::move(lookup)), resolver_(resolver), sink_(sink) {}

  void begin(TlsrptReport report) {
    if (closed_) return;
    const bool has_room = under_way_.size() < kMaxReportsUnderWay;
    if (!has_room || !under_way_.insert(report.domain).second) {
      ++counters.lost;
      return;
    }
    spawn_detached(lookup_, ask_and_send(std::move(report)), "TLSRPT report");
  }
  void close() { closed_ = true; }

  TlsrptCounters counters;

 private:
  Task<> ask_and_send(TlsrptReport report) {
    const auto self = shared_from_this();
    std::optional<std::string> record;
    if (const auto owner = record_owner(report.domain)) {
      DnsQuestion question{*owner, RrType::txt, report.domain.text()};
      const DnsReply reply = co_await resolver_.ask(std::move(question));
      // A lookup that failed says nothing: no record, no report.
      if (!reply.failed()) record = read_tlsrpt_record(reply.txt);
    }
    under_way_.erase(report.domain);
    if (closed_) co_return;
    if (!record) {
      ++counters.unwanted;
      co_return;
    }
    report.record = *std::move(record);
    const Result<void> sent = sink_.send(report);
    ++(sent ? counters.sent : counters.failed);
    counters.problem = sent ? "" : sent.error();
  }

  boost::asio::any_io_executor lookup_;
  Resolver& resolver_;
  TlsrptSink& sink_;
  std::set<Domain> under_way_;  // whose records are asked for
  bool closed_ = false;
};

TlsrptReporter::TlsrptReporter(boost::asio::any_io_executor lookup, Resolver& resolver,
                               TlsrptSink& sink)
    : impl_(std::make_shared<Impl>(std::move(lookup), resolver, sink)) {}
TlsrptReporter::~TlsrptReporter() = default;

void TlsrptReporter::fetch_failed(const Domain& domain, TlsrptFailure failure,
                                  std::string_view cause) {
  impl_->begin(report_of_fetch(domain, failure, cause));
}

void TlsrptReporter::decided(const DecisionInput& input, const Decision& decision) {
  std::optional<TlsrptReport> report = report_of_testing(input, decision);
  if (report) impl_->begin(*std::move(report));
}

void TlsrptReporter::close() { impl_->close(); }
const TlsrptCounters& TlsrptReporter::counters() const { return impl_->counters; }

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
#include "server/warm_run.h"

#include <algorithm>
#include <boost/json.hpp>
#include <set>
#include <utility>
#include <vector>

#include "base/text.h"
#include "lookup/waiting.h"
#include "server/across.h"
#include "server/import_api.h"

namespace sealane {
namespace json = boost::json;
namespace {

using std::chrono::milliseconds;

/// A piece is sent at least so often, if only an empty one: it shows whether the client is there.
constexpr milliseconds kPiece{1'000};
/// The pace is kept in steps of this length, so that a second's worth does not come at once.
constexpr milliseconds kStep{1'000 / kWarmPerSecond};
/// Names looked at in one go: mail waits meanwhile.
constexpr std::size_t kNamesPerStep = 50;

struct Report {
  std::string name;
  std::string_view result;
  std::string reason;
  std::string mode;
};

std::string line_of(const Report& report) {
  json::object told{{"domain", report.name}, {"result", report.result}};
  if (!report.mode.empty()) told["mode"] = report.mode;
  if (!report.reason.empty()) told["reason"] = report.reason;
  return json::serialize(told) + "\n";
}

Report report_of(const Domain& domain, const StsLook& look) {
  Report report{domain.text(), "none", escape(look.finding.reason), ""};
  if (look.finding.policy) report.mode = name_of(look.finding.policy->mode);
  if (look.known) {
    report.result = "known";
  } else if (look.finding.policy) {
    report.result = "found";
  } else if (look.finding.value != StsClass::none) {
    report.result = "failed";
  }
  return report;
}

}  // namespace

/// Lives on the lookup thread, once begun; the lookups under way hold it.
class WarmRun::Impl : public std::enable_shared_from_this<WarmRun::Impl> {
 public:
  Impl(AdminPartsPtr parts, const std::string& domains) : parts_(std::move(parts)) {
    for (const std::string_view line : split(domains, '\n')) {
      const std::string_view name = trim(line, " \t\r");
      if (!name.empty()) names_.emplace_back(name);
    }
  }

  /// What next() does.
  static Task<std::optional<std::string>> proceed(std::shared_ptr<Impl> self) {
    const Deadline until = std::chrono::steady_clock::now() + kPiece;
    self->begin_some();
    while (self->told_.empty() && !self->done() && std::chrono::steady_clock::now() < until) {
      const Deadline step = std::chrono::steady_clock::now() + kStep;
      co_await self->changed_.wait_until(std::min(step, until));
      self->begin_some();
    }
    if (self->told_.empty() && self->done()) co_return std::nullopt;
    co_return std::exchange(self->told_, {});
  }

  const AdminParts& parts() const { return *parts_; }

 private:
  bool done() const { return at_ == names_.size() && under_way_ == 0; }

  /// Names that are none, and those that came before, cost nothing and wait for nothing.
  void begin_some() {
    for (std::size_t i = 0; i < kNamesPerStep && at_ < names_.size(); ++i) {
      const bool due = std::chrono::steady_clock::now() >= next_begin_;
      const bool room = under_way_ < kWarmAtOnce && parts_->sts.has_room_for_refresh();
      if (!due || !room) return;
      const std::string& name = names_[at_++];
      const auto domain = Domain::parse_idn(name);
      if (!domain) {
        told_ += line_of({escape(name), "invalid", domain.error(), ""});
        continue;
      }
      if (!seen_.insert(*domain).second) continue;
      ++under_way_;
      next_begin_ = std::chrono::steady_clock::now() + kStep;
      spawn_detached(parts_->lookup, look(shared_from_this(), *domain), "warm");
    }
  }

  static Task<> look(std::shared_ptr<Impl> self, Domain domain) {
    StsLook look;
    look.finding.value = StsClass::own_fault;
    try {
      look = co_await self->parts_->sts.operations().ask_ahead(domain);
    } catch (const std::exception& error) {
      look.finding.reason = error.what();
    }
    --self->under_way_;
    // What was there already costs nothing: the next may begin at once.
    if (look.known) self->next_begin_ = {};
    self->told_ += line_of(report_of(domain, look));
    self->changed_.notify();
  }

  AdminPartsPtr parts_;
  std::vector<std::string> names_;
  std::size_t at_ = 0;
  std::set<Domain> seen_;
  std::size_t under_way_ = 0;
  std::chrono::steady_clock::time_point next_begin_{};
  std::string told_;
  Signal changed_;
};

WarmRun::WarmRun(AdminPartsPtr parts, std::string domains)
    : impl_(std::make_shared<Impl>(std::move(parts), domains)) {}
WarmRun::~WarmRun() = default;

Task<std::optional<std::string>> WarmRun::next() {
  // A client that went away asks no more, and then nothing more begins.
  auto proceeding = across(impl_->parts().lookup, Impl::proceed(impl_));
  co_return co_await std::move(proceeding);
}

}  // namespace sealane

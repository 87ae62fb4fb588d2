// SPDX-License-Identifier: Apache-2.0
// A year of a thousand domains, with restarts and outages of our own in between.
#include <cstdlib>
#include <iostream>

#include "base/log.h"
#include "fakes.h"
#include "lookup/refresher.h"
#include "lookup/sts_lookup.h"
#include "lookup/year_model.h"
#include "lookup/year_world.h"

using namespace sealane;
using namespace sealane::year;

namespace {

constexpr std::uint32_t kSeed = 8461;
constexpr std::size_t kSites = 1000;
constexpr seconds kYear = 365 * kDay;

/// The sites' DNS through a resolver that keeps answers for their TTL.
class SiteResolver : public Resolver {
 public:
  SiteResolver(Sites& sites, Model& model, const FakeClock& clock, const Us& us)
      : sites_(sites), model_(model), clock_(clock), us_(us) {}

  Task<DnsReply> ask(DnsQuestion question) override {
    Site& site = *sites_.find(question.for_key);
    const auto now = clock_.steady();
    Kept& kept = kept_[question.for_key];
    if (now >= kept.until) kept = {now + site.ttl, fresh(site)};
    if (kept.reply.failed()) kept.until = now;
    DnsReply reply = kept.reply;
    reply.ttl = std::chrono::duration_cast<seconds>(kept.until - now);
    model_.served(site, reply.txt.empty() ? "" : reply.txt.front(), reply.own_fault);
    co_return reply;
  }

 private:
  struct Kept {
    std::chrono::steady_clock::time_point until{};
    DnsReply reply;
  };
  DnsReply fresh(const Site& site) const {
    if (!us_.network) return dns_failed("no resolver answers", true);
    if (site.txt_fails) return dns_failed("SERVFAIL");
    if (!site.has_record()) return dns_nodata(false);
    return dns_txt({"v=STSv1; id=" + site.id_text()});
  }

  Sites& sites_;
  Model& model_;
  const FakeClock& clock_;
  const Us& us_;
  std::map<std::string, Kept> kept_;
};

class SiteFetcher : public PolicyFetcher {
 public:
  SiteFetcher(Sites& sites, Model& model, const seconds& now, const Us& us)
      : sites_(sites), model_(model), now_(now), us_(us) {}

  Task<Fetched> fetch(Domain name, bool) override {
    const Site& site = *sites_.find(name.text());
    model_.fetched(site, now_, us_);
    ++fetches;
    if (!us_.network) {
      co_return tl::unexpected<FetchFailure>(FetchFailure{FetchProblem::own, "no route", {}});
    }
    if (!site.fetchable()) {
      co_return tl::unexpected<FetchFailure>(FetchFailure{FetchProblem::status, "503", {}});
    }
    co_return FetchedBody{site.body(), "192.0.2.1"};
  }

  unsigned long fetches = 0;

 private:
  Sites& sites_;
  Model& model_;
  const seconds& now_;
  const Us& us_;
};

class Year {
 public:
  explicit Year(std::uint32_t seed)
      : sites(kSites, seed),
        ours_(seed + 1),
        dns_(sites, model, clock, us_),
        web(sites, model, now, us_) {
    start();
    for (Site& site : sites.all()) plan_question(site);
    next_restart_ = days(2, 12);
    next_outage_ = days(20, 60);
  }

  void live() {
    for (; now < kYear; now += kMinute, clock.advance(kMinute)) {
      sites.live(now);
      live_ourselves();
      if (!sts_) continue;
      sts_->tick();
      refresher_->tick();
      settle();
      ask_around();
    }
  }

  seconds now{0};
  FakeClock clock;
  FakeStore store;
  Sites sites;
  Model model;
  unsigned long questions = 0;
  unsigned restarts = 0;

 private:
  void start() {
    sts_ = std::make_unique<StsLookup>(io_.get_executor(), dns_, web, store, clock);
    RefresherLimits limits;
    limits.walk_every = kHour;  // a walk each ten minutes is too much work for a test
    refresher_ = std::make_unique<Refresher>(io_.get_executor(), *sts_, store, clock, limits);
    us_.running_since = now;
  }
  seconds days(long least, long most) {
    return now + seconds(kDay.count() * least +
                         static_cast<long>(ours_()) % (kDay.count() * (most - least)));
  }
  /// Restarts, and outages of our own network.
  void live_ourselves() {
    if (sts_ && now >= next_restart_) {
      refresher_.reset();
      sts_.reset();
      settle();
      model.restarted();
      next_restart_ = now + seconds(static_cast<long>(ours_()) % kHour.count());
      ++restarts;
    } else if (!sts_ && now >= next_restart_) {
      start();
      next_restart_ = days(2, 12);
    }
    if (now < next_outage_) return;
    us_.network = !us_.network;
    us_.network_since = now;
    next_outage_ = us_.network ? days(20, 60) : now + kHour * static_cast<long>(1 + ours_() % 12);
  }
  void ask_around() {
    while (!questions_.empty() && questions_.begin()->first <= now) {
      Site& site = *questions_.begin()->second;
      questions_.erase(questions_.begin());
      const auto deadline = std::chrono::steady_clock::now() + seconds{5};
      const StsFinding found = run(sts_->find(site.domain, deadline), io_);
      settle();
      model.answered(site, now, us_, found);
      plan_question(site);
      ++questions;
    }
  }
  void plan_question(Site& site) {
    const seconds next = sites.next_question(site, now);
    if (next != seconds::max()) questions_.emplace(next, &site);
  }
  void settle() {
    if (io_.stopped()) io_.restart();
    while (io_.poll() > 0) {
    }
    if (io_.stopped()) io_.restart();
  }

  std::mt19937 ours_;
  Us us_;
  SiteResolver dns_;

 public:
  SiteFetcher web;

 private:
  boost::asio::io_context io_;
  std::unique_ptr<StsLookup> sts_;
  std::unique_ptr<Refresher> refresher_;
  std::multimap<seconds, Site*> questions_;
  seconds next_restart_{0};
  seconds next_outage_{0};
};

std::uint32_t seed() {
  const char* wanted = std::getenv("SEALANE_YEAR_SEED");
  return wanted ? static_cast<std::uint32_t>(std::strtoul(wanted, nullptr, 10)) : kSeed;
}

}  // namespace

TEST_CASE("through a year, policies hold exactly as long and are as new as they must be") {
  set_log_level(Severity::alarm);
  std::cout << "seed " << seed() << "; SEALANE_YEAR_SEED=N tries another" << std::endl;
  Year year(seed());
  year.live();

  unsigned long fetches = 0;
  for (Site& site : year.sites.all()) {
    INFO(site.domain.text());
    const History& past = year.model.of(site);
    for (const auto& [day, count] : past.per_day) {
      fetches += count;
      // The worst case is a policy of ten minutes: each five; or failures each fifteen.
      const bool short_lived = past.policy && past.policy->life < 2 * kDay;
      CHECK(count <= (short_lived ? 24 * 12 + 12 : 96 + 12));
    }
    // Nobody asks: the last try at the policy's end is all that happens, and a second look ten
    // minutes later if it found another id.
    CHECK(past.after_abandon <= 2);
    const bool kept = year.store.kept.contains(site.domain);
    if (!kept || !past.policy) continue;
    CHECK(past.policy->ends > year.now - kDay);
  }
  std::cout << year.questions << " questions, " << year.web.fetches << " fetches, " << year.restarts
            << " restarts, " << year.model.checks << " judgements" << std::endl;
  CHECK(year.questions > 200'000);
  CHECK(fetches > 100'000);
  CHECK(year.restarts > 30);
  CHECK(year.model.checks > 500'000);
}

// SPDX-License-Identifier: Apache-2.0
#include "daemon.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "adapters/dns/getdns_resolver.h"
#include "adapters/hook/hook_runner.h"
#include "adapters/https/https_fetcher.h"
#include "adapters/system_clock.h"
#include "base/log.h"
#include "base/scheduling.h"
#include "daemon_admin.h"
#include "daemon_front_ends.h"
#include "daemon_options.h"
#include "daemon_resolvers.h"
#include "daemon_store.h"
#include "daemon_tlsrpt.h"
#include "lookup/dane_lookup.h"
#include "lookup/dane_watch.h"
#include "lookup/event_log.h"
#include "lookup/override_book.h"
#include "lookup/policy_finder.h"
#include "lookup/refresher.h"
#include "lookup/sts_lookup.h"
#include "lookup/waiting.h"
#include "server/answer_cache.h"
#include "server/explain_api.h"
#include "server/http_server.h"
#include "server/mta_reply.h"
#include "server/override_loader.h"
#include "server/socketmap.h"

namespace sealane {
namespace asio = boost::asio;
using boost::system::error_code;
using std::chrono::seconds;

namespace {

std::string texts(const std::vector<ListenAddress>& addresses) {
  std::vector<std::string> out;
  out.reserve(addresses.size());
  for (const ListenAddress& address : addresses) out.push_back(address.text());
  return fmt::format("{}", fmt::join(out, " "));
}

/// The overrides of the configuration, an empty set if it names none.  Nothing when the file is
/// wrong: each of its errors has been logged then.
std::shared_ptr<const Overrides> read_overrides(const std::string& file) {
  if (file.empty()) return std::make_shared<Overrides>();
  Result<Overrides, std::vector<std::string>> loaded = load_overrides(file);
  if (loaded) return std::make_shared<Overrides>(*std::move(loaded));
  for (const std::string& problem : loaded.error()) {
    log(Severity::error, "override_wrong", {{"problem", problem}});
  }
  return nullptr;
}

}  // namespace

class Daemon::Impl {
 public:
  Impl(const CommandLine& command_line, Config config)
      : command_line_(command_line), config_(std::move(config)) {}

  Result<void> build();
  void run();

 private:
  Result<void> test_resolvers(const std::vector<NameServer>& ours);
  AdminPartsPtr admin_parts();
  void warn(std::string text);
  Task<> pulse();
  void watch_families();
  void await_signal();
  void reload();
  void reload_on_lookup_thread(const std::string& overrides_file, bool needs_restart);
  void stop();
  void report() const;

  const CommandLine command_line_;
  Config config_;
  SystemClock clock_;
  std::vector<std::string> warnings_;

  // The order is that of need.  A frame that waits across threads is owned by the context it waits
  // on: the lookup context goes before the serving one.
  asio::io_context serving_{1};
  asio::io_context lookup_{1};
  std::vector<Listener> socketmap_listeners_;
  std::vector<Listener> admin_listeners_;
  std::unique_ptr<PolicyStore> store_;
  SharedStore* shared_store_ = nullptr;  // the same, if it is a shared one
  std::unique_ptr<GetdnsResolver> resolver_;
  std::unique_ptr<HttpsFetcher> fetcher_;
  std::unique_ptr<HookRunner> hook_;
  std::unique_ptr<EventLog> events_;
  DaemonTlsrpt tlsrpt_;
  std::unique_ptr<DaneWatch> dane_watch_;
  std::unique_ptr<DaneLookup> dane_;
  std::unique_ptr<StsLookup> sts_;
  std::unique_ptr<Refresher> refresher_;
  OverrideBook overrides_{clock_};
  std::unique_ptr<PolicyFinder> finder_;
  std::unique_ptr<AnswerCache> cache_;
  std::unique_ptr<SocketmapServer> socketmap_;
  FrontEnds front_ends_;
  std::unique_ptr<HttpServer> admin_;
  asio::signal_set signals_{serving_};
  asio::steady_timer pulse_timer_{lookup_};
  bool stopping_lookup_ = false;  // the lookup thread's
};

Result<void> Daemon::Impl::build() {
  set_log_level(config_.log_level);
  auto overrides = read_overrides(config_.overrides_file);
  if (!overrides) {
    return failure("policy.overrides = {}: errors, see above", config_.overrides_file);
  }
  overrides_.replace(std::move(overrides));
  ::umask(0077);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGHUP, SIG_IGN);  // until run() can reload: there is nothing old to replace yet
  if (auto raised = raise_descriptors(); !raised) return raised;

  // Sockets first: a second daemon stops here, before it touches the store, and an MTA that
  // connects now waits for the answer instead of being refused.
  auto listeners = open_listeners(config_.socketmap);
  if (!listeners) return tl::unexpected(std::move(listeners.error()));
  socketmap_listeners_ = std::move(*listeners);
  for (const auto* listens : {&config_.socketmap, &config_.http}) {
    for (const ListenAddress& address : *listens) {
      if (!address.is_remote()) continue;
      warn(address.text() +
           ": other hosts may ask, nobody proves who he is, and on the way to them "
           "answers can be changed; a firewall or a tunnel must see to that");
    }
  }
  auto admin_listeners = open_listeners(config_.admin);
  if (!admin_listeners) return tl::unexpected(std::move(admin_listeners.error()));
  admin_listeners_ = std::move(*admin_listeners);
  if (auto opened = front_ends_.open(config_); !opened) return opened;

  auto store = open_store(config_, command_line_.reset_store, lookup_.get_executor(), clock_);
  if (!store) return tl::unexpected(std::move(store.error()));
  store_ = std::move(store->policies);
  shared_store_ = store->shared;

  const ResolverOptions dns = resolver_options(config_);
  auto resolver = GetdnsResolver::create(lookup_.get_executor(), clock_, dns);
  if (!resolver) return tl::unexpected(std::move(resolver.error()));
  resolver_ = std::move(*resolver);

  auto fetcher = HttpsFetcher::create(lookup_.get_executor(), *resolver_, https_options(config_));
  if (!fetcher) return tl::unexpected(std::move(fetcher.error()));
  fetcher_ = std::move(*fetcher);
  if (auto tested = test_resolvers(dns.upstreams); !tested) return tested;

  if (!config_.on_downgrade.empty()) {
    auto hook = HookRunner::create(lookup_.get_executor(), config_.on_downgrade);
    if (!hook) return tl::unexpected(std::move(hook.error()));
    hook_ = std::move(*hook);
  }
  events_ = std::make_unique<EventLog>(lookup_.get_executor(), *store_, hook_.get());
  dane_watch_ = std::make_unique<DaneWatch>(lookup_.get_executor(), *store_, clock_, *events_);
  dane_ = std::make_unique<DaneLookup>(*resolver_, families_of(config_), clock_);
  auto tlsrpt = make_tlsrpt(config_, lookup_.get_executor(), *resolver_, clock_);
  if (!tlsrpt) return tl::unexpected(std::move(tlsrpt.error()));
  tlsrpt_ = std::move(*tlsrpt);
  sts_ = std::make_unique<StsLookup>(lookup_.get_executor(), *resolver_, *fetcher_, *store_, clock_,
                                     StsLimits{}, events_.get(), tlsrpt_.reporter.get());
  refresher_ = std::make_unique<Refresher>(lookup_.get_executor(), *sts_, *store_, clock_);
  finder_ = std::make_unique<PolicyFinder>(*dane_, *sts_, overrides_, config_.decision,
                                           dane_watch_.get(), tlsrpt_.reporter.get());
  CacheLimits limits;
  limits.entries = config_.cache_entries;
  limits.octets = config_.cache_mib * 1024 * 1024;
  cache_ = std::make_unique<AnswerCache>(
      serving_.get_executor(), lookup_.get_executor(),
      [this](PolicyQuestion question) { return finder_->find(std::move(question)); }, mta_reply,
      clock_, limits);
  socketmap_ = std::make_unique<SocketmapServer>(serving_.get_executor(), *cache_);
  front_ends_.build(serving_.get_executor(), *cache_, clock_);
  admin_ = std::make_unique<HttpServer>(serving_.get_executor());
  add_admin_routes(*admin_, admin_parts());
  admin_->add(explain_route(std::make_shared<ExplainApi>(
      lookup_.get_executor(),
      [this](std::string key, bool live) { return finder_->explain(std::move(key), live); },
      *cache_, clock_)));
  return {};
}

AdminPartsPtr Daemon::Impl::admin_parts() {
  const auto resolver = [this] { return report_of(resolver_->status()); };
  return std::make_shared<AdminParts>(AdminParts{
      *cache_, *socketmap_, clock_, warnings_, lookup_.get_executor(), *store_, *sts_, *dane_watch_,
      *refresher_, *events_, overrides_, resolver, tlsrpt_.reporter.get()});
}

Result<void> Daemon::Impl::test_resolvers(const std::vector<NameServer>& ours) {
  if (config_.trust_ad == AdTrust::never) {
    warn("resolver.trust-ad = never: DNSSEC counts for nothing, DANE is off");
  }
  auto tested = await_resolver(lookup_, *resolver_, clock_);
  if (!tested) return tl::unexpected(std::move(tested.error()));
  for (const std::string& problem : *tested) warn(problem);
  for (const std::string& problem : test_resolv_conf(lookup_, ours, clock_)) warn(problem);
  return {};
}

void Daemon::Impl::warn(std::string text) {
  log(Severity::warning, "setup", {{"problem", text}});
  warnings_.push_back(std::move(text));
}

void Daemon::Impl::run() {
  auto lookup_guard = asio::make_work_guard(lookup_);
  dane_watch_->start();
  if (shared_store_) shared_store_->start();
  spawn_detached(lookup_.get_executor(), pulse(), "pulse");
  std::thread lookup_thread([this] {
    step_behind(kLookupNiceness);
    lookup_.run();
  });

  ask_for_short_slices();  // this thread serves
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) signals_.add(signal);
  await_signal();
  cache_->start();
  socketmap_->start(std::move(socketmap_listeners_));
  front_ends_.start();
  admin_->start(std::move(admin_listeners_));
  log(Severity::notice, "ready",
      {{"version", SEALANE_VERSION},
       {"socketmap", texts(config_.socketmap)},
       {"exim", texts(config_.exim)},
       {"access", texts(config_.access)},
       {"http", texts(config_.http)},
       {"admin", texts(config_.admin)}});
  serving_.run();

  // All that was under way across the threads has landed: the lookup thread may run dry.
  lookup_guard.reset();
  lookup_thread.join();
  report();
}

/// What the lookup thread does each second.
Task<> Daemon::Impl::pulse() {
  error_code woken;
  while (!stopping_lookup_) {
    sts_->tick();
    refresher_->tick();
    overrides_.tick();
    watch_families();
    pulse_timer_.expires_after(seconds{1});
    co_await pulse_timer_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
  }
}

/// An address family whose route came after the start (IPv6 waits for its router) makes hosts
/// reachable that were none.  Never the other way: who is judged too much does no harm, and a route
/// that is lost comes back.
void Daemon::Impl::watch_families() {
  if (dane_->families() == Families::any) return;
  if (families_of(config_) == dane_->families()) return;
  dane_->set_families(Families::any);
  log(Severity::notice, "families_changed", {{"families", "any"}, {"cause", "a new route"}});
  asio::post(serving_, [this] { cache_->clear(); });
}

void Daemon::Impl::await_signal() {
  signals_.async_wait([this](error_code cancelled, int signal) {
    if (cancelled) return;
    if (signal != SIGHUP) return stop();
    reload();
    await_signal();
  });
}

void Daemon::Impl::reload() {
  Result<Config> fresh = load_config(command_line_);
  if (!fresh) {
    log(Severity::error, "reload_failed", {{"cause", fresh.error()}, {"kept", "the old one"}});
    return;
  }
  set_log_level(fresh->log_level);
  config_.log_level = fresh->log_level;
  config_.overrides_file = fresh->overrides_file;
  config_.access_table = fresh->access_table;
  front_ends_.reload(fresh->access_table);
  const bool needs_restart = config_text(*fresh) != config_text(config_) ||
                             fresh->shared_store != config_.shared_store;  // its password
  asio::post(lookup_, [this, file = fresh->overrides_file, needs_restart] {
    reload_on_lookup_thread(file, needs_restart);
  });
}

/// A large file takes a while to read: meanwhile the serving thread answers as before.
void Daemon::Impl::reload_on_lookup_thread(const std::string& overrides_file, bool needs_restart) {
  const Result<void> loaded = fetcher_->reload_ca();
  if (!loaded) log(Severity::error, "ca_reload_failed", {{"cause", loaded.error()}});
  auto overrides = read_overrides(overrides_file);
  const std::string taken = overrides ? std::to_string(overrides->rules().size()) : "the old ones";
  if (overrides) overrides_.replace(std::move(overrides));
  // Answers that rest on what was in force before go now, when nothing rests on it any more.
  asio::post(serving_, [this, taken, needs_restart] {
    cache_->clear();
    log(Severity::notice, "reloaded",
        {{"overrides", taken},
         {"needs_restart",
          needs_restart ? "yes, for options other than log.level, policy.overrides and access.table"
                        : "no"}});
  });
}

void Daemon::Impl::stop() {
  log(Severity::notice, "stopping", {{"lookups", std::to_string(cache_->flights())}});
  ::alarm(static_cast<unsigned>(kDrainPatience.count()));  // the kernel ends us if draining hangs
  signals_.clear();
  socketmap_->close();
  front_ends_.close();
  admin_->close();
  cache_->close();
  asio::post(lookup_, [this] {
    stopping_lookup_ = true;
    pulse_timer_.cancel();
    refresher_->close();
    sts_->close();
    if (shared_store_) shared_store_->close();
    fetcher_->close();
    if (hook_) hook_->close();
    if (tlsrpt_.reporter) tlsrpt_.reporter->close();
    resolver_->close();
  });
}

void Daemon::Impl::report() const {
  const CacheCounters& cache = cache_->counters();
  const SocketmapCounters& served = socketmap_->counters();
  log(Severity::notice, "stopped",
      {{"requests", std::to_string(served.requests)},
       {"hits", std::to_string(cache.hits)},
       {"lookups", std::to_string(cache.lookups)},
       {"temporary", std::to_string(cache.temporary)},
       {"overloads", std::to_string(cache.overloads)},
       {"connections", std::to_string(served.accepted)},
       {"junk", std::to_string(served.junk)}});
  front_ends_.report();
}

Daemon::Daemon(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Daemon::~Daemon() = default;

Result<std::unique_ptr<Daemon>> Daemon::create(const CommandLine& command_line, Config config) {
  auto impl = std::make_unique<Impl>(command_line, std::move(config));
  if (auto built = impl->build(); !built) return tl::unexpected(std::move(built.error()));
  return std::unique_ptr<Daemon>(new Daemon(std::move(impl)));
}

void Daemon::run() { impl_->run(); }

}  // namespace sealane

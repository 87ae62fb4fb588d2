// SPDX-License-Identifier: Apache-2.0
#include "adapters/redis/shared_store.h"

#include <algorithm>
#include <map>
#include <random>
#include <utility>

#include "adapters/redis/redis_client.h"
#include "adapters/redis/shared_row.h"
#include "base/log.h"
#include "base/text.h"
#include "lookup/shared_policy.h"
#include "lookup/waiting.h"

namespace sealane {
namespace {

using boost::asio::any_io_executor;
using std::chrono::milliseconds;
using std::chrono::sys_seconds;
using Steady = std::chrono::steady_clock;

/// Tells the holders of a lock apart, for people who look.
std::string random_token() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}", random(), random());
}

/// Not GET: a row of any size would come, and the connection not survive it.  No row is an empty
/// one.
RedisCommand get_command(const Domain& domain) {
  return {"GETRANGE", policy_key(domain), "0", std::to_string(kMaxRow)};
}

/// When a policy was taken back; absent: it was not.
using Retraction = std::optional<sys_seconds>;

/// Speaks once in a while.
class Complaint {
 public:
  bool due() {
    const auto now = Steady::now();
    if (last_ && now - *last_ < kComplaintEvery) return false;
    last_ = now;
    return true;
  }

 private:
  std::optional<Steady::time_point> last_;
};

}  // namespace

class SharedStore::Impl : public std::enable_shared_from_this<SharedStore::Impl> {
 public:
  Impl(any_io_executor executor, std::unique_ptr<PolicyStore> local, const Clock& clock)
      : executor_(std::move(executor)), local_(std::move(local)), clock_(clock) {}

  Result<void> prepare(RedisOptions options);
  void start();
  void close();
  bool connected() const { return client_->connected(); }
  std::size_t unwritten() const { return noted_.size() + (writing_ ? 1 : 0) + (walking_ ? 1 : 0); }

  Task<Result<void>> put(Domain domain, StsMemory memory);
  Task<Elsewhere> elsewhere(Domain domain, FetchPlan plan);
  void note(const Domain& domain, Retraction retraction);
  PolicyStore& local() { return *local_; }

 private:
  std::optional<StoredPolicy> read(const Domain& domain, const RedisReply& reply);
  void begin_walk();
  Task<> write_back();
  Task<> write_noted();
  Task<> write_page();
  Task<bool> write(Domain domain, Retraction retraction);
  Task<bool> remove(Domain domain, sys_seconds when);
  Task<bool> publish(Domain domain, StoredPolicy policy);
  bool accepted(const std::optional<RedisReply>& reply);

  any_io_executor executor_;
  std::unique_ptr<PolicyStore> local_;
  const Clock& clock_;
  std::unique_ptr<RedisClient> client_;
  const std::string token_ = random_token();
  std::map<Domain, Retraction> noted_;
  bool writing_ = false;  ///< one that was noted
  bool walking_ = false;
  unsigned walk_ = 0;            ///< its number: another may begin while one waits
  std::string after_;            ///< the last name the walk has seen
  Steady::time_point resume_{};  ///< nothing is written before
  bool closed_ = false;
  Signal wake_;
  Complaint wrong_row_, refused_;
};

Result<void> SharedStore::Impl::prepare(RedisOptions options) {
  auto connected = [watch = weak_from_this()] {
    const auto self = watch.lock();
    if (!self) return;
    self->resume_ = {};
    self->begin_walk();
  };
  auto client = RedisClient::create(executor_, std::move(options), std::move(connected));
  if (!client) return tl::unexpected(client.error());
  client_ = std::move(*client);
  return {};
}

void SharedStore::Impl::start() {
  client_->start();
  spawn_detached(executor_, write_back(), "shared store");
}

void SharedStore::Impl::close() {
  closed_ = true;
  client_->close();
  wake_.notify();
}

// ---- reading

std::optional<StoredPolicy> SharedStore::Impl::read(const Domain& domain, const RedisReply& reply) {
  const bool is_text = reply.kind == RedisReply::Kind::text;
  if (is_text && reply.text.empty()) return std::nullopt;
  Result<StoredPolicy> row = failure("{}", escape(reply.text));
  if (is_text) row = read_row_text(domain, reply.text);
  if (row) row = vetted(std::move(*row), clock_.wall());
  if (row) return std::move(*row);
  if (wrong_row_.due()) {
    log(Severity::warning, "shared_store_row_ignored",
        {{"domain", domain.text()}, {"cause", row.error()}});
  }
  return std::nullopt;
}

Task<Elsewhere> SharedStore::Impl::elsewhere(Domain domain, FetchPlan plan) {
  const auto self = shared_from_this();
  Elsewhere found;
  RedisCommand get = get_command(domain);
  const auto row = co_await client_->ask(std::move(get), kLookPatience);
  auto theirs = row ? read(domain, *row) : std::nullopt;
  if (theirs && spares_fetch(plan, *theirs)) {
    found.policy = std::move(*theirs);
    co_return found;
  }
  if (!can_wait(plan, clock_.wall())) co_return found;
  const auto life = std::chrono::duration_cast<milliseconds>(kLockLife);
  RedisCommand lock{"SET", lock_key(domain), token_, "NX", "PX", std::to_string(life.count())};
  const auto reply = co_await client_->ask(std::move(lock), kLookPatience);
  found.under_way = reply && reply->kind == RedisReply::Kind::nil;
  co_return found;
}

// ---- writing

/// The local store first and at once: the order of its calls is the caller's.
Task<Result<void>> SharedStore::Impl::put(Domain domain, StsMemory memory) {
  const auto self = shared_from_this();
  const bool has_policy = memory.policy.has_value();
  Result<void> kept = co_await local_->put(domain, std::move(memory));
  if (kept && has_policy) note(domain, std::nullopt);
  co_return kept;
}

/// A retraction stays noted beside what is learnt later.
void SharedStore::Impl::note(const Domain& domain, Retraction retraction) {
  if (noted_.size() >= kMaxNoted && !noted_.contains(domain)) {
    if (!walking_) begin_walk();
    return;
  }
  Retraction& noted = noted_[domain];
  noted = std::max(noted, retraction);
  wake_.notify();
}

void SharedStore::Impl::begin_walk() {
  walking_ = true;
  ++walk_;
  after_.clear();
  wake_.notify();
}

/// What was noted goes first: it is new.  The walk finds all the rest.  All waiting is done here,
/// right after a look at closed_, so that no wake-up is lost.
Task<> SharedStore::Impl::write_back() {
  const auto self = shared_from_this();
  while (!closed_) {
    const bool idle = noted_.empty() && !walking_;
    if (idle || !client_->connected()) {
      co_await wake_.wait_until(Deadline::max());
    } else if (Steady::now() < resume_) {
      co_await wake_.wait_until(resume_);
    } else if (!noted_.empty()) {
      co_await write_noted();
    } else {
      co_await write_page();
    }
  }
}

Task<> SharedStore::Impl::write_noted() {
  const auto [domain, retraction] = *noted_.begin();
  noted_.erase(noted_.begin());
  writing_ = true;
  const bool written = co_await write(domain, retraction);
  writing_ = false;
  if (written) co_return;
  Retraction& noted = noted_[domain];
  noted = std::max(noted, retraction);
}

Task<> SharedStore::Impl::write_page() {
  const unsigned walk = walk_;
  const auto page = co_await local_->walk(after_, kWritePage);
  if (walk != walk_) co_return;
  if (!page) {
    log(Severity::error, "store_failed", {{"where", "shared store"}, {"cause", page.error()}});
    walking_ = false;
    co_return;
  }
  for (const auto& [domain, memory] : *page) {
    if (closed_) co_return;
    if (!memory.policy) continue;
    const bool written = co_await publish(domain, *memory.policy);
    // Goes on from here later; or the connection is gone, and the next one begins another walk.
    if (walk != walk_ || !written) co_return;
    after_ = domain.text();
  }
  if (page->size() < kWritePage) {
    walking_ = false;
    log(Severity::info, "shared_store_filled");
    co_return;
  }
  after_ = page->back().first.text();
  resume_ = Steady::now() + kWritePause;
}

/// False, here and below: it is to be tried again, but not before resume_.
Task<bool> SharedStore::Impl::write(Domain domain, Retraction retraction) {
  if (retraction) {
    const bool removed = co_await remove(domain, *retraction);
    if (!removed) co_return false;
  }
  const auto known = co_await local_->find(domain);
  if (!known || !*known || !(*known)->policy) co_return true;
  StoredPolicy policy = *(*known)->policy;
  if (retraction && policy.fetched <= *retraction) co_return true;
  co_return co_await publish(domain, std::move(policy));
}

/// What another node has fetched since stays.
Task<bool> SharedStore::Impl::remove(Domain domain, sys_seconds when) {
  RedisCommand get = get_command(domain);
  const auto reply = co_await client_->ask(std::move(get), kWritePatience);
  if (!reply) co_return accepted(reply);
  const auto theirs = read(domain, *reply);
  if (!theirs || theirs->fetched > when) co_return true;
  RedisCommand command{"DEL", policy_key(domain)};
  const auto done = co_await client_->ask(std::move(command), kWritePatience);
  co_return accepted(done);
}

/// The later fetch stays.  One that another node writes between our look and our command is lost
/// until that node's next walk or fetch; no node that knows a policy goes back to an older one.
Task<bool> SharedStore::Impl::publish(Domain domain, StoredPolicy policy) {
  const sys_seconds now = clock_.wall();
  if (!vetted(policy, now)) co_return true;  // what others would not believe
  RedisCommand get = get_command(domain);
  const auto reply = co_await client_->ask(std::move(get), kWritePatience);
  if (!reply) co_return accepted(reply);
  const auto theirs = read(domain, *reply);
  if (theirs && theirs->fetched >= policy.fetched) co_return true;
  const std::string left = std::to_string((policy.expires - now).count());
  RedisCommand set{"SET", policy_key(domain), row_text(domain, policy), "EX", left};
  const auto done = co_await client_->ask(std::move(set), kWritePatience);
  co_return accepted(done);
}

/// A refusal (read-only, no memory, no permission) is told, and is about every command: the next
/// one waits.
bool SharedStore::Impl::accepted(const std::optional<RedisReply>& reply) {
  const bool refused = reply && reply->kind == RedisReply::Kind::error;
  if (reply && !refused) return true;
  const milliseconds pause = refused ? milliseconds(kRefusedPause) : kWritePatience;
  resume_ = Steady::now() + pause;
  if (refused && refused_.due()) {
    log(Severity::warning, "shared_store_refuses", {{"cause", reply->text}});
  }
  return false;
}

// ---- the port

SharedStore::SharedStore(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
SharedStore::~SharedStore() { impl_->close(); }

Result<std::unique_ptr<SharedStore>> SharedStore::create(any_io_executor executor,
                                                         std::unique_ptr<PolicyStore> local,
                                                         RedisOptions options, const Clock& clock) {
  auto impl = std::make_shared<Impl>(std::move(executor), std::move(local), clock);
  if (auto prepared = impl->prepare(std::move(options)); !prepared) {
    return tl::unexpected(prepared.error());
  }
  return std::unique_ptr<SharedStore>(new SharedStore(std::move(impl)));
}

void SharedStore::start() { impl_->start(); }
void SharedStore::close() { impl_->close(); }
bool SharedStore::connected() const { return impl_->connected(); }
std::size_t SharedStore::unwritten() const { return impl_->unwritten(); }

Task<Result<std::optional<StsMemory>>> SharedStore::find(Domain domain) {
  return impl_->local().find(std::move(domain));
}
Task<Result<void>> SharedStore::put(Domain domain, StsMemory memory) {
  return impl_->put(std::move(domain), std::move(memory));
}
Task<Result<void>> SharedStore::erase(Domain domain) {
  return impl_->local().erase(std::move(domain));
}
void SharedStore::taken_back(Domain domain, sys_seconds when) { impl_->note(domain, when); }
Task<Elsewhere> SharedStore::elsewhere(Domain domain, FetchPlan plan) {
  return impl_->elsewhere(std::move(domain), std::move(plan));
}
Task<Result<std::vector<std::pair<Domain, StsMemory>>>> SharedStore::walk(std::string after,
                                                                          std::size_t limit) {
  return impl_->local().walk(std::move(after), limit);
}
Task<Result<StoreStats>> SharedStore::stats() { return impl_->local().stats(); }
Task<Result<void>> SharedStore::add_event(Event event) {
  return impl_->local().add_event(std::move(event));
}
Task<Result<std::vector<StoredEvent>>> SharedStore::events(std::optional<Domain> domain,
                                                           std::size_t limit, std::uint64_t after) {
  return impl_->local().events(std::move(domain), limit, after);
}
Task<Result<void>> SharedStore::put_dane(Domain domain, std::optional<DaneMemory> memory) {
  return impl_->local().put_dane(std::move(domain), std::move(memory));
}
Task<Result<std::vector<std::pair<Domain, DaneMemory>>>> SharedStore::walk_dane(std::string after,
                                                                                std::size_t limit) {
  return impl_->local().walk_dane(std::move(after), limit);
}

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
#include "adapters/store/sqlite_store.h"

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <filesystem>
#include <functional>
#include <span>
#include <thread>
#include <utility>

#include "adapters/store/history_tables.h"
#include "adapters/store/sqlite_database.h"
#include "adapters/store/store_file.h"
#include "base/log.h"
#include "base/text.h"

namespace sealane {
namespace {

using boost::asio::any_io_executor;

/// Writes in one transaction.  Bounds how long the first of them waits for the last.
constexpr std::size_t kMaxBatch = 256;

enum class Access { read, write };

/// One call: made on the caller's thread, run on ours, completed on the caller's again.
class Job {
 public:
  explicit Job(Access access) : access_(access) {}
  virtual ~Job() = default;
  bool writes() const { return access_ == Access::write; }
  virtual Result<void> run(Database& database) = 0;
  virtual void fail(const std::string& text) = 0;
  virtual void complete() = 0;

 private:
  Access access_;
};

template <class R>
using Work = std::function<R(Database&)>;

template <class R>
class JobOf : public Job {
 public:
  using Handler = boost::asio::any_completion_handler<void(R)>;

  JobOf(Access access, Work<R> work, Handler handler, any_io_executor executor)
      : Job(access),
        work_(std::move(work)),
        handler_(std::move(handler)),
        caller_(std::move(executor)) {}

  Result<void> run(Database& database) override {
    result_ = work_(database);
    if (!result_) return tl::unexpected(result_.error());
    return {};
  }
  void fail(const std::string& text) override { result_ = tl::unexpected(text); }
  /// The guard ends on the caller's thread: here, it would race with the end of the caller's loop.
  void complete() override {
    const any_io_executor executor = caller_.get_executor();
    boost::asio::post(executor, [handler = std::move(handler_), result = std::move(result_),
                                 guard = std::move(caller_)]() mutable {
      std::move(handler)(std::move(result));
    });
  }

 private:
  Work<R> work_;
  Handler handler_;
  boost::asio::executor_work_guard<any_io_executor> caller_;  // it must not run dry meanwhile
  R result_;
};

Task<Result<void>> refuse(std::string text) { co_return tl::unexpected(std::move(text)); }

Result<std::string> path_of(const std::string& location) {
  constexpr std::string_view kScheme = "sqlite:";
  if (!location.starts_with(kScheme) || location.size() == kScheme.size()) {
    return failure("store \"{}\": expected sqlite:PATH", escape(location));
  }
  // Absolute, so that no name (such as ":memory:") means anything but a file to SQLite.
  std::error_code error;
  const auto path = std::filesystem::absolute(location.substr(kScheme.size()), error);
  if (error) return failure("store \"{}\": {}", escape(location), error.message());
  return path.string();
}

tl::expected<std::unique_ptr<Database>, StoreRefusal> open_afresh(const std::string& path,
                                                                  const std::string& why) {
  const auto aside = set_store_aside(path);
  if (!aside) return tl::unexpected(StoreRefusal{aside.error(), false});
  log(Severity::alarm, "store_reset", {{"store", path}, {"cause", why}, {"moved_to", *aside}});
  return Database::open(path);
}

}  // namespace

/// The thread and its queue.  Only values cross: there is no lock.
class SqliteStore::Worker {
 public:
  explicit Worker(std::unique_ptr<Database> database)
      : database_(std::move(database)),
        idle_(boost::asio::make_work_guard(queue_)),
        thread_([this] { queue_.run(); }) {}
  ~Worker() { close(); }

  /// Completes all that was submitted; from then on calls fail.
  void close() {
    if (!thread_.joinable()) return;
    idle_.reset();
    thread_.join();
    database_.reset();
  }

  /// The body of every function of the store; the frame holds the worker.
  template <class R>
  static Task<R> call(std::shared_ptr<Worker> self, Access access, Work<R> work) {
    const any_io_executor executor = co_await boost::asio::this_coro::executor;
    if (!self->thread_.joinable()) co_return failure("the store is closed");
    auto start = [self, access, executor](auto handler, Work<R> what) {
      self->submit(
          std::make_unique<JobOf<R>>(access, std::move(what), std::move(handler), executor));
    };
    auto waiting = boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void(R)>(
        std::move(start), boost::asio::use_awaitable, std::move(work));
    co_return co_await std::move(waiting);
  }

 private:
  using Jobs = std::span<std::unique_ptr<Job>>;

  void submit(std::unique_ptr<Job> job) {
    boost::asio::post(queue_, [this, job = std::move(job)]() mutable { take(std::move(job)); });
  }

  /// The flush queues behind the calls that have come meanwhile: they are taken before it.
  void take(std::unique_ptr<Job> job) {
    waiting_.push_back(std::move(job));
    if (waiting_.size() == 1) boost::asio::post(queue_, [this] { flush(); });
  }

  /// In order of arrival, so that a find() sees the put() before it.
  void flush() {
    std::vector<std::unique_ptr<Job>> jobs = std::exchange(waiting_, {});
    for (std::size_t begin = 0; begin < jobs.size();) {
      std::size_t end = begin + 1;
      while (jobs[begin]->writes() && end < jobs.size() && jobs[end]->writes() &&
             end - begin < kMaxBatch) {
        ++end;
      }
      const Jobs batch = Jobs(jobs).subspan(begin, end - begin);
      jobs[begin]->writes() ? write(batch) : read(*jobs[begin]);
      for (auto& job : batch) job->complete();
      begin = end;
    }
  }

  /// A failed Result is in the job's own.
  void read(Job& job) { [[maybe_unused]] const auto told = job.run(*database_); }

  /// What fails one statement (disk, lock) fails them all.
  void write(Jobs batch) {
    const auto written = database_->transaction([&]() -> Result<void> {
      for (auto& job : batch) {
        if (auto done = job->run(*database_); !done) return done;
      }
      return {};
    });
    if (written) return;
    for (auto& job : batch) job->fail(written.error());
  }

  std::unique_ptr<Database> database_;
  std::vector<std::unique_ptr<Job>> waiting_;
  boost::asio::io_context queue_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> idle_;
  std::thread thread_;
};

SqliteStore::SqliteStore(std::shared_ptr<Worker> worker) : worker_(std::move(worker)) {}
SqliteStore::~SqliteStore() { worker_->close(); }

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(const SqliteOptions& options) {
  const auto path = path_of(options.location);
  if (!path) return tl::unexpected(path.error());
  auto database = Database::open(*path);
  if (!database && database.error().bad_file && options.reset) {
    database = open_afresh(*path, database.error().text);
  }
  if (!database && database.error().bad_file) {
    return failure("{}; --reset-store moves it aside and forgets every policy",
                   database.error().text);
  }
  if (!database) return tl::unexpected(database.error().text);
  auto worker = std::make_shared<Worker>(std::move(*database));
  return std::unique_ptr<SqliteStore>(new SqliteStore(std::move(worker)));
}

Task<Result<std::optional<StsMemory>>> SqliteStore::find(Domain domain) {
  using R = Result<std::optional<StsMemory>>;
  Work<R> work = [domain = std::move(domain)](Database& database) { return database.find(domain); };
  return Worker::call<R>(worker_, Access::read, std::move(work));
}

Task<Result<void>> SqliteStore::put(Domain domain, StsMemory memory) {
  using R = Result<void>;
  if (const auto good = check_storable(memory); !good) {
    return refuse(fmt::format("store: {}: {}", domain.text(), good.error()));
  }
  Work<R> work = [domain = std::move(domain), memory = std::move(memory)](Database& database) {
    return database.put(domain, memory);
  };
  return Worker::call<R>(worker_, Access::write, std::move(work));
}

Task<Result<void>> SqliteStore::erase(Domain domain) {
  using R = Result<void>;
  Work<R> work = [domain = std::move(domain)](Database& database) {
    return database.erase(domain);
  };
  return Worker::call<R>(worker_, Access::write, std::move(work));
}

Task<Result<std::vector<std::pair<Domain, StsMemory>>>> SqliteStore::walk(std::string after,
                                                                          std::size_t limit) {
  using R = Result<std::vector<std::pair<Domain, StsMemory>>>;
  Work<R> work = [after = std::move(after), limit](Database& database) {
    return database.walk(after, limit);
  };
  return Worker::call<R>(worker_, Access::read, std::move(work));
}

Task<Result<StoreStats>> SqliteStore::stats() {
  using R = Result<StoreStats>;
  Work<R> work = [](Database& database) { return database.stats(); };
  return Worker::call<R>(worker_, Access::read, std::move(work));
}

Task<Elsewhere> SqliteStore::elsewhere(Domain, FetchPlan) { co_return Elsewhere{}; }

Task<Result<void>> SqliteStore::add_event(Event event) {
  using R = Result<void>;
  if (const auto good = check_storable(event); !good) return refuse(good.error());
  Work<R> work = [event = std::move(event)](Database& database) {
    return database.add_event(event);
  };
  return Worker::call<R>(worker_, Access::write, std::move(work));
}

Task<Result<std::vector<StoredEvent>>> SqliteStore::events(std::optional<Domain> domain,
                                                           std::size_t limit, std::uint64_t after) {
  using R = Result<std::vector<StoredEvent>>;
  Work<R> work = [domain = std::move(domain), limit, after](Database& database) {
    return database.events(domain, limit, after);
  };
  return Worker::call<R>(worker_, Access::read, std::move(work));
}

Task<Result<void>> SqliteStore::put_dane(Domain domain, std::optional<DaneMemory> memory) {
  using R = Result<void>;
  if (memory) {
    if (const auto good = check_storable(*memory); !good) return refuse(good.error());
  }
  Work<R> work = [domain = std::move(domain), memory = std::move(memory)](Database& database) {
    return database.put_dane(domain, memory);
  };
  return Worker::call<R>(worker_, Access::write, std::move(work));
}

Task<Result<std::vector<std::pair<Domain, DaneMemory>>>> SqliteStore::walk_dane(std::string after,
                                                                                std::size_t limit) {
  using R = Result<std::vector<std::pair<Domain, DaneMemory>>>;
  Work<R> work = [after = std::move(after), limit](Database& database) {
    return database.walk_dane(after, limit);
  };
  return Worker::call<R>(worker_, Access::read, std::move(work));
}

}  // namespace sealane

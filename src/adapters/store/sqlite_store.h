// SPDX-License-Identifier: Apache-2.0
// The policy store in a SQLite file, on a thread of its own.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "lookup/policy_store.h"

namespace sealane {

struct SqliteOptions {
  std::string location;  ///< "sqlite:PATH"
  bool reset = false;    ///< a bad file is renamed to PATH.bad-TIME and an empty store begun
};

/// The functions are to be called on one thread, and complete there.  Puts that wait at the same
/// time share one transaction, and thus one fsync.  Nothing may cancel a call: it ends by itself,
/// within the five seconds that another process may hold the lock and the time of the disk.
class SqliteStore : public PolicyStore {
 public:
  /// Blocks for the checks.  Fails with a text for the operator if the file is not one of ours,
  /// damaged, of a newer version or not writable: an empty store instead would forget every policy.
  static Result<std::unique_ptr<SqliteStore>> open(const SqliteOptions& options);

  /// Does what was asked for and ends the thread.  To be destroyed before the executor of the
  /// callers, which is to run until it is out of work.
  ~SqliteStore() override;

  Task<Result<std::optional<StsMemory>>> find(Domain domain) override;
  /// Refuses, before anything is written, what find() could not read: see check_storable().
  Task<Result<void>> put(Domain domain, StsMemory memory) override;
  Task<Result<void>> erase(Domain domain) override;
  Task<Result<std::vector<std::pair<Domain, StsMemory>>>> walk(std::string after,
                                                               std::size_t limit) override;
  Task<Result<StoreStats>> stats() override;
  Task<Elsewhere> elsewhere(Domain domain, FetchPlan plan) override;
  void taken_back(Domain, std::chrono::sys_seconds) override {}  // there are no others
  Task<Result<void>> add_event(Event event) override;
  Task<Result<std::vector<StoredEvent>>> events(std::optional<Domain> domain, std::size_t limit,
                                                std::uint64_t after) override;
  Task<Result<void>> put_dane(Domain domain, std::optional<DaneMemory> memory) override;
  Task<Result<std::vector<std::pair<Domain, DaneMemory>>>> walk_dane(std::string after,
                                                                     std::size_t limit) override;

 private:
  class Worker;
  explicit SqliteStore(std::shared_ptr<Worker> worker);
  std::shared_ptr<Worker> worker_;  // also held by the calls under way
};

}  // namespace sealane

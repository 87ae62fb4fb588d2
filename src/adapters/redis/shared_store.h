// SPDX-License-Identifier: Apache-2.0
// A policy store that a fleet shares: the local store of this node, and in front of it a Redis (or
// Valkey) server, through which one node's fetch serves all.
//
// The local store stays what answers rely on: what is put, or taken over from others, is durable
// there first.  The server may be away, empty, slow or hostile at any time: then this node goes on
// alone, and writes back what it has learnt when the server is there again.  The local store is the
// queue for that: after each connection it is walked over.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <memory>
#include <string>

#include "adapters/redis/redis_stream.h"
#include "base/result.h"
#include "lookup/clock.h"
#include "lookup/policy_store.h"

namespace sealane {

/// An answer waits for the server no longer than this.
inline constexpr std::chrono::milliseconds kLookPatience{200};
/// Nobody waits for what is written back.
inline constexpr std::chrono::milliseconds kWritePatience{2000};
/// Domains noted to be written; what is beyond is left to a walk over the local store.
inline constexpr std::size_t kMaxNoted = 10'000;
/// Rows a page of that walk, and the pause after it: a million take seven minutes.
inline constexpr std::size_t kWritePage = 256;
inline constexpr std::chrono::milliseconds kWritePause{100};
/// A server that refuses to write is asked again this soon: one command costs nobody anything.
inline constexpr std::chrono::seconds kRefusedPause{5};
/// Rows that are wrong, and commands that are refused, are told this seldom.
inline constexpr std::chrono::minutes kComplaintEvery{1};

/// Lives on the lookup thread.
class SharedStore : public PolicyStore {
 public:
  /// Fails if the CA file cannot be used; that the server is not there is no failure.
  static Result<std::unique_ptr<SharedStore>> create(boost::asio::any_io_executor executor,
                                                     std::unique_ptr<PolicyStore> local,
                                                     RedisOptions options, const Clock& clock);
  ~SharedStore() override;

  void start();
  /// The local store goes on.
  void close();
  bool connected() const;
  /// What is still to be written to the server.
  std::size_t unwritten() const;

  // The local store's answers, in its order:
  Task<Result<std::optional<StsMemory>>> find(Domain domain) override;
  Task<Result<void>> put(Domain domain, StsMemory memory) override;
  Task<Result<void>> erase(Domain domain) override;

  Task<Elsewhere> elsewhere(Domain domain, FetchPlan plan) override;
  void taken_back(Domain domain, std::chrono::sys_seconds when) override;

  // Of this node alone:
  Task<Result<std::vector<std::pair<Domain, StsMemory>>>> walk(std::string after,
                                                               std::size_t limit) override;
  Task<Result<StoreStats>> stats() override;
  Task<Result<void>> add_event(Event event) override;
  Task<Result<std::vector<StoredEvent>>> events(std::optional<Domain> domain, std::size_t limit,
                                                std::uint64_t after) override;
  Task<Result<void>> put_dane(Domain domain, std::optional<DaneMemory> memory) override;
  Task<Result<std::vector<std::pair<Domain, DaneMemory>>>> walk_dane(std::string after,
                                                                     std::size_t limit) override;

 private:
  class Impl;
  explicit SharedStore(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace sealane

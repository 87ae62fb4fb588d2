// SPDX-License-Identifier: Apache-2.0
// Postfix's policy delegation (check_policy_service), for submission: the sender learns while
// talking to the server that a recipient can't be reached securely.  The table says whose mail
// must be; everybody else is answered DUNNO.
//
// Requests on one connection are answered in their order, those on different ones side by side.
// Lives on one serving thread; must outlive the last handler of its executor.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/task.h"
#include "server/acceptor.h"
#include "server/access_table.h"
#include "server/answer_cache.h"
#include "server/crowding.h"
#include "server/listener.h"

namespace sealane {

/// Connections at a time: one an smtpd(8) process, of which there are 100 by default.
inline constexpr std::size_t kMaxAccessConnections = 500;
/// A connection on which nothing moves is closed after this.  Postfix keeps idle ones for 300 s.
inline constexpr std::chrono::seconds kAccessIdle{330};

struct AccessLimits {
  std::size_t connections = kMaxAccessConnections;
  std::chrono::milliseconds idle = kAccessIdle;
};

struct AccessCounters {
  std::uint64_t accepted = 0;
  std::uint64_t refused =
      0;  ///< closed while they waited: too many connections, all of them waiting
  std::uint64_t requests = 0;
  std::uint64_t asked = 0;     ///< for whom a rule made us look at the recipient's domain
  std::uint64_t rejected = 0;  ///< REJECT
  std::uint64_t deferred = 0;  ///< DEFER_IF_PERMIT
  std::uint64_t junk = 0;      ///< closed: not the protocol
  std::uint64_t idle = 0;      ///< closed: nothing moved, or room was needed
};

class AccessServer {
 public:
  using Table = std::shared_ptr<const AccessTable>;

  AccessServer(boost::asio::any_io_executor executor, AnswerCache& cache, Table table,
               AccessLimits limits = {}, bool observes = false);
  ~AccessServer();

  void start(std::vector<Listener> listeners);
  /// The rules from now on.
  void replace(Table table) { table_ = std::move(table); }
  /// Stops listening and closes every connection.  A request under way gets no reply: Postfix asks
  /// once more, the next daemon.  AnswerCache::close() must follow.
  void close();

  const AccessCounters& counters() const { return counters_; }
  std::size_t connections() const { return connections_.size(); }
  std::uint64_t accept_errors() const { return acceptor_.errors(); }

 private:
  struct Connection;
  using ConnectionPtr = std::shared_ptr<Connection>;

  void take(Socket socket);
  void make_room();
  LastMove move() { return {sweeps_, ++moves_}; }
  Task<> serve(ConnectionPtr connection);
  Task<> talk(Connection& connection);
  Task<std::string> action_for(Connection& connection, std::string text);
  void note(const AccessRule& rule, const AccessRequest& request, const std::string& action);
  void note_junk(std::string_view text);
  Task<> sweep();

  boost::asio::any_io_executor executor_;
  AnswerCache& cache_;
  Table table_;
  const AccessLimits limits_;
  const bool observes_;  // policy.mode = observe: nothing is refused
  Acceptor acceptor_;
  std::unordered_set<ConnectionPtr> connections_;
  struct Sweeper;
  std::unique_ptr<Sweeper> sweeper_;
  std::uint64_t sweeps_ = 1;  // the hour hand by which idleness is judged
  std::uint64_t moves_ = 0;
  std::uint64_t junk_logged_at_ = 0;
  CrowdingLog crowding_{"access"};
  bool closing_ = false;
  AccessCounters counters_;
};

}  // namespace sealane

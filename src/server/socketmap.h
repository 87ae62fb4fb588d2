// SPDX-License-Identifier: Apache-2.0
// The socketmap protocol (socketmap_table(5)), as Postfix and Sendmail speak it: a netstring
// "MAP KEY" is answered by a netstring "OK DATA", "NOTFOUND ", "TEMP WHY" or "PERM WHY".
// The map name chooses the dialect.  Requests on one connection are answered in their order.
//
// Lives on one serving thread; must outlive the last handler of its executor.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/task.h"
#include "server/acceptor.h"
#include "server/answer_cache.h"
#include "server/crowding.h"
#include "server/listener.h"
#include "server/poll_set.h"

namespace sealane {

/// Connections at a time.  Postfix opens one a process, 200-1,000 on a busy host; what is left of
/// the 8,192 descriptors is for DNS (2,048), HTTPS and files.
inline constexpr std::size_t kMaxSocketmapConnections = 5'000;

/// A connection on which nothing moves is closed after this.  Postfix closes idle ones after 10 s
/// and waits 100 s for an answer.
inline constexpr std::chrono::seconds kSocketmapIdle{120};

/// Answers that may wait for a client that does not read, in octets, beside the last one.  Nothing
/// more is read from it meanwhile.
inline constexpr std::size_t kMaxPendingOutput = 64 * 1024;

/// Unknown map names that are logged; later ones are only counted.
inline constexpr std::size_t kMaxLoggedMapNames = 64;

struct SocketmapLimits {
  std::size_t connections = kMaxSocketmapConnections;
  std::chrono::milliseconds idle = kSocketmapIdle;
};

struct SocketmapCounters {
  std::uint64_t accepted = 0;
  std::uint64_t refused =
      0;  ///< closed while they waited: too many connections, all of them waiting
  std::uint64_t requests = 0;
  std::uint64_t unknown_maps = 0;
  std::uint64_t junk = 0;  ///< closed: not the protocol
  std::uint64_t idle = 0;  ///< closed: nothing moved, or room was needed
};

class SocketmapServer {
 public:
  SocketmapServer(boost::asio::any_io_executor executor, AnswerCache& cache,
                  SocketmapLimits limits = {});
  ~SocketmapServer();

  void start(std::vector<Listener> listeners);

  /// Stops listening, answers what can be answered at once and closes every connection.  Those
  /// that wait for a lookup get no reply: Postfix then asks once more, the next daemon.
  void close();

  const SocketmapCounters& counters() const { return counters_; }
  std::size_t connections() const { return connections_.size(); }
  std::uint64_t accept_errors() const { return acceptor_.errors(); }

 private:
  struct Connection;
  using ConnectionPtr = std::shared_ptr<Connection>;
  enum class Next { read, flush, ask, hang_up };

  void take(Socket socket);
  void serve(Connection& connection, std::uint32_t events);
  bool receive(Connection& connection);
  bool send(Connection& connection);
  bool proceed(Connection& connection, Next next);
  Task<> look_up(ConnectionPtr connection);
  void drop(Connection& connection);
  Next answer_ready(Connection& connection);
  void refuse_map(Connection& connection, std::string_view name);
  void make_room();
  LastMove move() { return {sweeps_, ++moves_}; }
  void note_junk(const Connection& connection);
  void last_words(Connection& connection);
  Task<> sweep();

  boost::asio::any_io_executor executor_;
  AnswerCache& cache_;
  const SocketmapLimits limits_;
  Acceptor acceptor_;
  PollSet poll_;
  std::unordered_map<Connection*, ConnectionPtr> connections_;
  std::set<std::string, std::less<>> logged_maps_;
  struct Sweeper;
  std::unique_ptr<Sweeper> sweeper_;
  std::uint64_t sweeps_ = 1;  // the hour hand by which idleness is judged: no clock on a hit
  std::uint64_t moves_ = 0;
  std::uint64_t junk_logged_at_ = 0;
  CrowdingLog crowding_{"socketmap"};
  bool closing_ = false;
  SocketmapCounters counters_;
};

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
// What Exim's ${readsocket} talks to: one request line, one answer line, and the end.
//
//   exim DOMAIN [requiretls] [tls-required=no]
//   level=secure ignore="!^mx[.]example[.]net$ : *" ttl=300
//
// Exim takes a connection that ends without an answer for an answer that is empty, so there always
// is one; and each but `level=temp` ends with `ttl=`, so that one cut short is recognised.
//
// Lives on one serving thread; must outlive the last handler of its executor.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/task.h"
#include "lookup/clock.h"
#include "server/acceptor.h"
#include "server/answer_cache.h"
#include "server/crowding.h"
#include "server/listener.h"

namespace sealane {

/// Connections at a time, each one question: far above what delivery processes a host runs; what
/// is left of the descriptors is for Postfix and DNS.
inline constexpr std::size_t kMaxEximConnections = 500;
/// A request must be there, and its answer taken, within this: Exim does both at once.
inline constexpr std::chrono::seconds kEximPatience{10};
/// Longest request in octets: the longest key and the words around it.
inline constexpr std::size_t kMaxEximRequest = 1'100;

struct EximRequest {
  std::string_view domain;
  RequestFlags flags;
};
/// Reads a request without its line end; nothing if it is none.  Pure.
std::optional<EximRequest> parse_exim_request(std::string_view line);

struct EximLimits {
  std::size_t connections = kMaxEximConnections;
  std::chrono::milliseconds patience = kEximPatience;
};

struct EximCounters {
  std::uint64_t accepted = 0;
  std::uint64_t refused = 0;   ///< told at once to come later: too many connections
  std::uint64_t requests = 0;  ///< that were one
  std::uint64_t junk = 0;      ///< that were none
  std::uint64_t late = 0;      ///< connections that did not send, or not take, in time
};

class EximServer {
 public:
  /// `clock` is that of the cache.
  EximServer(boost::asio::any_io_executor executor, AnswerCache& cache, const Clock& clock,
             EximLimits limits = {});
  ~EximServer();

  void start(std::vector<Listener> listeners);

  /// Stops listening and tells everybody who waits for a request or an answer to come later.
  /// AnswerCache::close() must follow.
  void close();

  const EximCounters& counters() const { return counters_; }
  std::size_t connections() const { return connections_.size(); }
  std::uint64_t accept_errors() const { return acceptor_.errors(); }

 private:
  struct Connection;
  using ConnectionPtr = std::shared_ptr<Connection>;

  void take(Socket socket);
  Task<> serve(ConnectionPtr connection);
  Task<> talk(Connection& connection);
  Task<> read_request(Connection& connection);
  Task<std::string> answer(Connection& connection);
  void note_junk(std::string_view line);
  Task<> write_answer(Connection& connection, std::string line);
  Task<> drain(Connection& connection);
  Task<> sweep();

  boost::asio::any_io_executor executor_;
  AnswerCache& cache_;
  const Clock& clock_;
  const EximLimits limits_;
  Acceptor acceptor_;
  std::unordered_set<ConnectionPtr> connections_;
  struct Sweeper;
  std::unique_ptr<Sweeper> sweeper_;
  bool closing_ = false;
  bool junk_logged_ = false;  ///< since the last sweep
  CrowdingLog crowding_{"exim"};
  EximCounters counters_;
};

}  // namespace sealane

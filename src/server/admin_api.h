// SPDX-License-Identifier: Apache-2.0
// The admin API: HTTP/1.1 and JSON on a unix socket, for `sealane` and for scripts.
// Formats are in docs/formats.md.  Who may ask is said by the socket file's rights.
//
// Lives on the serving thread; must outlive the last handler of its executor.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/task.h"
#include "lookup/clock.h"
#include "server/acceptor.h"
#include "server/answer_cache.h"
#include "server/socketmap.h"

namespace sealane {

/// Connections at a time: people and scripts, not mail.
inline constexpr std::size_t kMaxAdminConnections = 64;
/// Octets of a request's head: the longest key, percent-encoded, fits.
inline constexpr std::uint32_t kMaxAdminHead = 40 * 1024;
/// For one request and its answer, and between two.  A lookup ends within 30 s.
inline constexpr std::chrono::seconds kAdminPatience{60};

class AdminApi {
 public:
  /// `warnings`: what is wrong with the set-up since the start, for people.
  AdminApi(boost::asio::any_io_executor executor, AnswerCache& cache, const SocketmapServer& server,
           const Clock& clock, std::vector<std::string> warnings);
  ~AdminApi();

  void start(std::vector<Listener> listeners);
  /// Stops listening and closes all connections.
  void close();

 private:
  struct Connection;
  using ConnectionPtr = std::shared_ptr<Connection>;
  struct Response;

  void take(Socket socket);
  Task<> serve(ConnectionPtr connection);
  Task<> talk(ConnectionPtr connection);
  Task<Response> respond(std::string method, std::string target);
  Task<Response> query(std::string parameters);
  std::string status() const;

  boost::asio::any_io_executor executor_;
  AnswerCache& cache_;
  const SocketmapServer& server_;
  const Clock& clock_;
  const std::vector<std::string> warnings_;
  const std::chrono::sys_seconds up_since_;
  Acceptor acceptor_;
  std::unordered_set<ConnectionPtr> connections_;
  bool closing_ = false;
};

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
// What the front ends do when they have as many connections as they may have: whose is closed, and
// what the log says of it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sealane {

/// When something moved last on a connection.
struct LastMove {
  std::uint64_t sweep;  ///< the hour hand by which idleness is judged
  std::uint64_t turn;   ///< among the moves on all connections of the server
};

/// True if `a` is closed rather than `b` when room is needed: the one that is idle longest or,
/// where all wait for a lookup, the one that has waited longest.  Whoever holds many open must not
/// lock the mail server out, and Postfix repeats a question when its connection was closed.
template <class Connection>
bool makes_room_before(const Connection& a, const Connection& b) {
  if (a.waiting != b.waiting) return b.waiting;
  return a.moved.turn < b.moved.turn;
}

/// Logs `connections_full`: each effect at most once between two sweeps.  On its server's thread.
class CrowdingLog {
 public:
  enum class Effect { idle_closed, waiting_closed, told_to_come_later };

  /// `server` must outlive this.
  explicit CrowdingLog(std::string_view server) : server_(server) {}
  void note(std::size_t connections, Effect effect);
  /// To be called at each sweep.
  void sweep() { noted_ = {}; }

 private:
  std::string_view server_;
  std::array<bool, 3> noted_{};  // by Effect
};

}  // namespace sealane

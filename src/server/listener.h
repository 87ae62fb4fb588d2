// SPDX-License-Identifier: Apache-2.0
// A listening socket, from its text in the configuration to the descriptor.
//
//   unix:/run/sealane/admin.sock,mode=0660,group=postfix      inet:127.0.0.1:8461   inet:[::1]:8461
//
// A socket file that nobody listens on any more is replaced; a live one, and a file that is no
// socket, is refused.  At the end only a file that is still ours is removed.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sealane {

/// Connections that may wait for accept(2); the kernel caps it at net.core.somaxconn.  Postfix
/// connects without blocking, and on a unix socket a full queue is an error at once (EAGAIN): a
/// burst of delivery agents must fit.
inline constexpr int kListenBacklog = 4096;

/// Longest path of a unix socket, in octets (sun_path of unix(7) less its final NUL).
inline constexpr std::size_t kMaxSocketPath = 107;

/// Where to listen.  Exactly one of `path` and `host` is set.
struct ListenAddress {
  std::string path;        ///< unix
  mode_t mode = 0;         ///< unix: rights of the socket file
  std::string group;       ///< unix: group of the socket file; empty = the process's own
  std::string host;        ///< inet: an address without brackets
  std::uint16_t port = 0;  ///< inet; 0 = any free port (tests)

  bool is_unix() const { return !path.empty(); }
  /// Whether other hosts may reach it: neither a unix socket nor a loopback address.
  bool is_remote() const;
  /// The text that parse_listen_address() reads back.
  std::string text() const;
  friend bool operator==(const ListenAddress&, const ListenAddress&) = default;
};

/// Reads a listen address; `default_mode` applies where it names none.
Result<ListenAddress> parse_listen_address(std::string_view text, mode_t default_mode = 0660);

/// Owns a listening, non-blocking descriptor and the socket file.  Any one thread.
class Listener {
 public:
  /// Binds and listens.  Changes the process's umask for a moment: call before threads start.
  static Result<Listener> open(const ListenAddress& address);

  Listener(Listener&& other) noexcept;
  Listener& operator=(Listener&&) = delete;
  /// Closes the descriptor, if it still has it, and removes the socket file if it is still ours.
  ~Listener();

  const ListenAddress& address() const { return address_; }
  /// AF_UNIX, AF_INET or AF_INET6.
  int family() const { return family_; }
  /// The port the kernel chose, for an inet address with port 0.
  std::uint16_t port() const { return port_; }
  /// Hands the descriptor over; the socket file stays with this object.
  int release();

 private:
  Listener(ListenAddress address, int family, int descriptor);
  Result<void> bind_unix();
  Result<void> bind_inet();

  ListenAddress address_;
  int family_;
  int descriptor_;
  std::uint16_t port_ = 0;
  bool owns_file_ = false;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

/// Opens all, or tells what is wrong with the first that cannot be.
Result<std::vector<Listener>> open_listeners(const std::vector<ListenAddress>& addresses);

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
// Many sockets behind one descriptor of an Asio loop.  Asio reads from a socket once more before
// it waits, to learn that there is nothing; for a protocol of short questions and answers this is a
// system call in three.  A set of its own saves it: the loop waits for the set, and the set says
// which of its sockets are ready.
//
// Lives on one thread; must outlive the last handler of its executor.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstddef>
#include <cstdint>

namespace sealane {

/// Sockets served before the loop's other work gets its turn: about a millisecond.
inline constexpr std::size_t kPollBatch = 256;

class PollSet {
 public:
  /// A socket of the set.
  class Member {
   public:
    virtual ~Member() = default;
    /// `events` of epoll_ctl(2): those it waits for, and EPOLLHUP or EPOLLERR in any case.  May
    /// remove any member, itself too.
    virtual void ready(std::uint32_t events) = 0;

   private:
    friend class PollSet;
    std::uint32_t awaited_ = 0;
  };

  /// Throws boost::system::system_error when the system has no descriptor left.
  explicit PollSet(const boost::asio::any_io_executor& executor);

  void start();
  /// Ends the waiting.  No member is called after this.
  void close();

  /// False when the system refuses.  The member must stay where it is until it was removed.
  bool add(int descriptor, Member& member, std::uint32_t events);
  /// Waits for other events from now on: level-triggered, as long as they last.
  void await(int descriptor, Member& member, std::uint32_t events);
  /// Before the descriptor is closed.  The member is not called any more.
  void remove(int descriptor, const Member& member);

 private:
  void arm();
  std::size_t serve_ready();

  boost::asio::posix::stream_descriptor set_;
  std::array<epoll_event, kPollBatch> batch_{};
  std::size_t batch_size_ = 0;
};

}  // namespace sealane

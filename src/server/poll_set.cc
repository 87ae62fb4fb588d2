// SPDX-License-Identifier: Apache-2.0
#include "server/poll_set.h"

#include <algorithm>
#include <boost/system/system_error.hpp>
#include <cerrno>
#include <utility>

namespace sealane {
namespace asio = boost::asio;
using boost::system::error_code;

namespace {

int open_set() {
  const int set = ::epoll_create1(EPOLL_CLOEXEC);
  if (set < 0) {
    throw boost::system::system_error(errno, boost::system::system_category(), "epoll_create1");
  }
  return set;
}

}  // namespace

PollSet::PollSet(const asio::any_io_executor& executor) : set_(executor, open_set()) {}

void PollSet::start() { arm(); }

void PollSet::close() {
  error_code ignored;
  set_.close(ignored);
  batch_size_ = 0;
}

bool PollSet::add(int descriptor, Member& member, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &member;
  member.awaited_ = events;
  return ::epoll_ctl(set_.native_handle(), EPOLL_CTL_ADD, descriptor, &event) == 0;
}

void PollSet::await(int descriptor, Member& member, std::uint32_t events) {
  if (member.awaited_ == events) return;
  epoll_event event{};
  event.events = events;
  event.data.ptr = &member;
  member.awaited_ = events;
  ::epoll_ctl(set_.native_handle(), EPOLL_CTL_MOD, descriptor, &event);
}

void PollSet::remove(int descriptor, const Member& member) {
  epoll_event unused{};
  ::epoll_ctl(set_.native_handle(), EPOLL_CTL_DEL, descriptor, &unused);
  const auto end = batch_.begin() + static_cast<std::ptrdiff_t>(batch_size_);
  const auto found = std::find_if(
      batch_.begin(), end, [&](const epoll_event& event) { return event.data.ptr == &member; });
  if (found != end) found->data.ptr = nullptr;
}

void PollSet::arm() {
  set_.async_wait(asio::posix::stream_descriptor::wait_read, [this](error_code cancelled) {
    if (cancelled) return;
    // While they keep coming, asking the set again is cheaper than going round the loop.
    for (std::size_t served = 0; served < kPollBatch && set_.is_open();) {
      const std::size_t now = serve_ready();
      if (now == 0) break;
      served += now;
    }
    if (set_.is_open()) arm();
  });
}

/// How many were ready.
std::size_t PollSet::serve_ready() {
  const int ready = ::epoll_wait(set_.native_handle(), batch_.data(), int{kPollBatch}, 0);
  batch_size_ = static_cast<std::size_t>(std::max(0, ready));
  for (std::size_t i = 0; i < batch_size_; ++i) {
    auto* member = static_cast<Member*>(batch_[i].data.ptr);
    if (member != nullptr) member->ready(batch_[i].events);
  }
  return std::exchange(batch_size_, 0);
}

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
// A finder whose answers the test sets.  Lives on the lookup executor, as the real one.
#pragma once

#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "lookup/policy_finder.h"
#include "policy/decision.h"

namespace sealane {

inline Decision found(Action action, std::chrono::seconds ttl = std::chrono::seconds{300}) {
  Decision decision;
  decision.action = action;
  decision.ttl = ttl;
  if (action == Action::temporary) decision.reason = "resolver down";
  return decision;
}

class FakeFinder {
 public:
  std::vector<PolicyQuestion> asked;
  std::map<std::string, Decision> decisions;  ///< what is not here is "not found" for 300 s
  std::set<std::string> hold;                 ///< keys whose lookups wait for release()
  std::set<std::string> broken;               ///< keys whose lookups throw

  Task<Decision> find(PolicyQuestion question) {
    asked.push_back(question);
    if (hold.contains(question.key)) {
      const auto executor = co_await boost::asio::this_coro::executor;
      auto timer = std::make_shared<boost::asio::steady_timer>(
          executor, boost::asio::steady_timer::time_point::max());
      held_.push_back(timer);
      boost::system::error_code woken;
      co_await timer->async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, woken));
    }
    if (broken.contains(question.key)) throw std::runtime_error("a bug");
    const auto set = decisions.find(question.key);
    co_return set == decisions.end() ? found(Action::not_found) : set->second;
  }

  void release() {
    hold.clear();
    for (const auto& timer : held_) timer->cancel();
    held_.clear();
  }
  std::size_t held() const { return held_.size(); }
  std::size_t count(const std::string& key) const {
    return static_cast<std::size_t>(
        std::count_if(asked.begin(), asked.end(), [&](const auto& q) { return q.key == key; }));
  }

 private:
  std::vector<std::shared_ptr<boost::asio::steady_timer>> held_;
};

/// "dane example.com": enough to see which decision for whom an answer comes from.
inline std::string fake_format(const Decision& decision, Dialect, std::string_view text) {
  std::string reply = std::string(name_of(decision.action)) + " " + std::string(text);
  if (!decision.reason.empty()) reply += ": " + decision.reason;
  return reply;
}

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
// Ready answers, as the octets an MTA gets: nearly every question is answered from here without
// leaving the serving thread.  A question that is not known goes to the lookup thread once, however
// many ask it; an answer that is in use is renewed before it runs out.
//
// Lives on one serving thread: every function is called there, and so is everything awaited.
// Must outlive the last handler of the serving executor.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "base/task.h"
#include "lookup/clock.h"
#include "lookup/policy_finder.h"
#include "policy/decision.h"

namespace sealane {

/// Lookups under way at most.  Each holds a socketmap connection or more, and DNS has 2,048 slots.
inline constexpr std::size_t kMaxFlights = 2'048;
/// Above this many lookups under way, nothing is renewed in the background: questions come first.
inline constexpr std::size_t kMaxFlightsToRenew = kMaxFlights / 4;

/// An answer is renewed when a tenth of its life is left, within these bounds: long enough for a
/// slow lookup, short enough not to ask DNS much more often than its TTLs allow.
inline constexpr std::chrono::seconds kMinRenewalLead{1};
inline constexpr std::chrono::seconds kMaxRenewalLead{30};

struct Answer {
  std::string reply;   ///< the payload for the MTA
  std::string reason;  ///< with a temporary answer: why
  std::string doubt;   ///< Decision::doubt
  Action action = Action::temporary;
  StsClass sts = StsClass::none;
  bool observed = false;  ///< "not found" because of row 33: says nothing of the destination
  std::chrono::steady_clock::time_point expires;  ///< by the Clock port

  bool held = false;  ///< decided, but not to be said to this MTA: the reply is temporary

  bool temporary() const { return held || action == Action::temporary; }
};
using AnswerPtr = std::shared_ptr<const Answer>;

struct CacheLimits {
  std::size_t entries = 100'000;          ///< a busy relay's destinations, many times over
  std::size_t octets = 64 * 1024 * 1024;  ///< of keys, replies and reasons
  std::size_t flights = kMaxFlights;
};

struct CacheCounters {
  std::uint64_t hits = 0;
  std::uint64_t direct = 0;   ///< keys that name no destination, answered without a lookup
  std::uint64_t lookups = 0;  ///< sent to the lookup thread, renewals included
  std::uint64_t joined = 0;   ///< waited for a lookup that was under way
  std::uint64_t renewals = 0;
  std::uint64_t overloads = 0;  ///< temporary answers because kMaxFlights were under way
  std::uint64_t temporary = 0;  ///< lookups that ended in a temporary answer
  std::uint64_t evicted = 0;    ///< answers that had to make room
};

class AnswerCache {
 public:
  /// Called, and awaited, on the lookup executor.
  using Find = std::function<Task<Decision>(PolicyQuestion)>;
  /// The payload for an MTA; the text names the destination in reasons.
  using Format = std::function<std::string(const Decision&, Dialect, std::string_view)>;

  AnswerCache(boost::asio::any_io_executor serving, boost::asio::any_io_executor lookup, Find find,
              Format format, const Clock& clock, CacheLimits limits = {});
  ~AnswerCache();
  AnswerCache(const AnswerCache&) = delete;
  AnswerCache& operator=(const AnswerCache&) = delete;

  /// The answer if it needs no lookup; null otherwise.  `whom` is who uses it: it is renewed on
  /// their behalf.
  AnswerPtr ready(Dialect dialect, RequestFlags flags, std::string_view key,
                  AskedFor whom = AskedFor::mail);

  /// The answer that is kept for a destination and still valid; null otherwise.  For people: it
  /// counts as no question.
  AnswerPtr kept(Dialect dialect, const NextHop& next_hop) const;

  /// The answer, after a lookup if need be.  Null only when shutting down.
  Task<AnswerPtr> ask(PolicyQuestion question);

  /// Forgets all answers.  Lookups under way still answer those who wait, but are not kept.
  void clear();

  /// Starts what renews answers in the background once a second.  Ends with close().
  void start();
  /// What start() does each second; for tests with a fake clock.
  void renew_due();

  /// Wakes everybody who waits, with null, and takes no further questions.  Lookups under way land
  /// unseen; the lookup executor must go on until flights() is 0.
  void close();

  const CacheCounters& counters() const { return counters_; }
  std::size_t entries() const { return by_key_.size(); }
  std::size_t octets() const { return octets_; }
  std::size_t flights() const { return flights_.size(); }

 private:
  struct Flight;
  struct Entry;
  using FlightPtr = std::shared_ptr<Flight>;
  using Entries = std::list<Entry>;
  using Due = std::multimap<std::chrono::steady_clock::time_point, Entries::iterator>;

  AnswerPtr hit(std::string_view kept_under, AskedFor whom);
  FlightPtr launch(std::string kept_under, AskedFor whom);
  FlightPtr joinable(const std::string& kept_under, AskedFor whom) const;
  Task<> fly(FlightPtr flight);
  Task<> tick();
  AnswerPtr answer(const Decision& decision, Dialect dialect, std::string_view text) const;
  void keep(const Flight& flight, std::chrono::seconds ttl);
  void renew(const Entry& entry, AskedFor whom);
  void schedule(Entries::iterator entry, std::chrono::steady_clock::time_point when);
  void erase(Entries::iterator entry);

  boost::asio::any_io_executor serving_;
  boost::asio::any_io_executor lookup_;
  Find find_;
  Format format_;
  const Clock& clock_;
  const CacheLimits limits_;

  Entries entries_;  // the most recently used first, to the second
  std::unordered_map<std::string_view, Entries::iterator> by_key_;
  Due due_;  // when to look at an entry again: to renew it, then to drop it
  std::size_t octets_ = 0;
  std::unordered_set<FlightPtr> flights_;
  std::unordered_map<std::string, FlightPtr> under_way_;  // those that may be joined
  std::uint64_t generation_ = 0;
  std::uint64_t ticks_ = 1;  // seconds, about: no clock is needed for the order of use
  std::string scratch_;      // saves an allocation a question
  bool closed_ = false;
  struct Ticker;
  std::unique_ptr<Ticker> ticker_;
  CacheCounters counters_;
};

}  // namespace sealane

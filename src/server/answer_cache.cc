// SPDX-License-Identifier: Apache-2.0
#include "server/answer_cache.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "base/log.h"
#include "lookup/waiting.h"
#include "policy/next_hop.h"
#include "server/mta_reply.h"

namespace sealane {
namespace asio = boost::asio;
using boost::system::error_code;
using std::chrono::seconds;

namespace {

/// Octets in front of the destination in what a question is kept under: dialect and flags, so that
/// no client can weaken another's answer.
constexpr std::size_t kPrefix = 2;

/// Rough cost of an entry beside its texts: list, hash and schedule nodes.
constexpr std::size_t kEntryOverhead = 256;

void write_place(std::string& out, Dialect dialect, RequestFlags flags, std::string_view text) {
  out.clear();
  out.push_back(static_cast<char>(dialect));
  out.push_back(static_cast<char>((flags.requiretls ? 1 : 0) | (flags.tls_required_no ? 2 : 0)));
  out.append(text);
}

PolicyQuestion question_at(std::string_view place) {
  PolicyQuestion question;
  question.key = place.substr(kPrefix);
  question.dialect = static_cast<Dialect>(place[0]);
  question.flags.requiretls = (place[1] & 1) != 0;
  question.flags.tls_required_no = (place[1] & 2) != 0;
  return question;
}

ParsedKey parse_key(Dialect dialect, std::string_view key) {
  return dialect == Dialect::requiretls ? parse_requiretls_key(key) : parse_next_hop(key);
}

std::size_t cost_of(std::string_view place, const Answer& answer) {
  return kEntryOverhead + place.size() + answer.reply.size() + answer.reason.size() +
         answer.doubt.size();
}

bool is_warning(Notice notice) {
  return notice == Notice::sts_conflict || notice == Notice::preference_inverted ||
         notice == Notice::sts_match_restricted || notice == Notice::txt_error_bound ||
         notice == Notice::mx_mismatch;
}

std::string notices_text(const Decision& decision) {
  std::string text;
  for (const Notice notice : decision.notices) {
    if (!text.empty()) text += ',';
    text += name_of(notice);
  }
  return text;
}

void log_answer(const PolicyQuestion& question, const Answer& answer, const Decision& decision,
                bool news) {
  Severity severity = Severity::debug;
  const bool warns = std::any_of(decision.notices.begin(), decision.notices.end(), is_warning);
  if (answer.temporary() || (news && warns)) severity = Severity::warning;
  const bool says_something = !answer.temporary() && answer.action != Action::not_found;
  if (news && says_something && severity == Severity::debug) severity = Severity::info;
  if (!log_enabled(severity)) return;
  log(severity, "answer",
      {{"key", question.key},
       {"dialect", std::string(name_of(question.dialect))},
       {"row", decision.row},
       {"notices", notices_text(decision)},
       {"reply", answer.reply}});
}

}  // namespace

/// A lookup under way.  The timer never expires: cancelling it wakes all who wait.
struct AnswerCache::Flight {
  Flight(const asio::any_io_executor& executor, std::string kept_under, AskedFor asked_for,
         std::uint64_t at_generation)
      : landed(executor, asio::steady_timer::time_point::max()),
        place(std::move(kept_under)),
        whom(asked_for),
        generation(at_generation) {}
  asio::steady_timer landed;
  const std::string place;
  const AskedFor whom;  ///< who asked first
  const std::uint64_t generation;
  std::size_t waiting = 0;
  AnswerPtr answer;
};

struct AnswerCache::Entry {
  std::string place;
  AnswerPtr answer;
  Due::iterator due;
  std::uint64_t moved = 0;       ///< the tick in which it last went to the front
  std::optional<AskedFor> used;  ///< who asked since it was found; mail, if mail did
  bool renew_on_use = false;     ///< it is about to run out
};

struct AnswerCache::Ticker {
  explicit Ticker(const asio::any_io_executor& executor) : timer(executor) {}
  asio::steady_timer timer;
};

AnswerCache::AnswerCache(asio::any_io_executor serving, asio::any_io_executor lookup, Find find,
                         Format format, const Clock& clock, CacheLimits limits)
    : serving_(std::move(serving)),
      lookup_(std::move(lookup)),
      find_(std::move(find)),
      format_(std::move(format)),
      clock_(clock),
      limits_(limits) {}

AnswerCache::~AnswerCache() = default;

AnswerPtr AnswerCache::ready(Dialect dialect, RequestFlags flags, std::string_view key,
                             AskedFor whom) {
  write_place(scratch_, dialect, flags, key);
  if (AnswerPtr found = hit(scratch_, whom)) return found;

  // Not in the form it is kept under, or not kept.  Keys without a destination are not kept at
  // all: answering them costs less than the room that a flood of them would take from others.
  const ParsedKey parsed = parse_key(dialect, key);
  if (const auto* none = std::get_if<NoNextHop>(&parsed)) {
    ++counters_.direct;
    return answer(decide(*none), dialect, key);
  }
  write_place(scratch_, dialect, flags, std::get<NextHop>(parsed).text());
  return hit(scratch_, whom);
}

AnswerPtr AnswerCache::kept(Dialect dialect, const NextHop& next_hop) const {
  std::string place;
  write_place(place, dialect, RequestFlags{}, next_hop.text());
  const auto found = by_key_.find(place);
  if (found == by_key_.end()) return nullptr;
  const AnswerPtr& answer = found->second->answer;
  return answer->expires > clock_.steady() ? answer : nullptr;
}

AnswerPtr AnswerCache::hit(std::string_view kept_under, AskedFor whom) {
  const auto found = by_key_.find(kept_under);
  if (found == by_key_.end()) return nullptr;
  Entry& entry = *found->second;
  if (entry.answer->expires <= clock_.steady()) return nullptr;
  ++counters_.hits;
  entry.used = std::max(entry.used.value_or(whom), whom);
  // Once a second is often enough, and spares the neighbours in the list a visit.
  if (entry.moved != ticks_) {
    entry.moved = ticks_;
    entries_.splice(entries_.begin(), entries_, found->second);
  }
  if (entry.renew_on_use) {
    entry.renew_on_use = false;
    renew(entry, *entry.used);
  }
  return entry.answer;
}

Task<AnswerPtr> AnswerCache::ask(PolicyQuestion question) {
  if (closed_) co_return nullptr;
  AnswerPtr found = ready(question.dialect, question.flags, question.key, question.whom);
  if (found) co_return found;
  std::string place = scratch_;  // ready() left it in canonical form

  FlightPtr flight = joinable(place, question.whom);
  if (flight) {
    ++counters_.joined;
  } else if (flights_.size() >= limits_.flights) {
    ++counters_.overloads;
    const Decision overload = temporary_failure("too many lookups are under way");
    co_return answer(overload, question.dialect, question_at(place).key);
  } else {
    flight = launch(std::move(place), question.whom);
  }

  ++flight->waiting;
  error_code woken;
  co_await flight->landed.async_wait(asio::redirect_error(asio::use_awaitable, woken));
  co_return flight->answer;
}

/// The lookup under way that this asker may wait for; null if it needs one of its own.  What people
/// began is told to nobody, so mail joins it only when there is room for no other.
AnswerCache::FlightPtr AnswerCache::joinable(const std::string& kept_under, AskedFor whom) const {
  const auto found = under_way_.find(kept_under);
  if (found == under_way_.end()) return nullptr;
  const bool tells_enough = found->second->whom >= whom;
  return tells_enough || flights_.size() >= limits_.flights ? found->second : nullptr;
}

AnswerCache::FlightPtr AnswerCache::launch(std::string kept_under, AskedFor whom) {
  auto flight = std::make_shared<Flight>(serving_, std::move(kept_under), whom, generation_);
  flights_.insert(flight);
  under_way_.insert_or_assign(flight->place, flight);
  ++counters_.lookups;
  // Nobody owns it, so nobody can cancel it: crossing threads must not be cancelled.
  spawn_detached(serving_, fly(flight), "lookup flight");
  return flight;
}

Task<> AnswerCache::fly(FlightPtr flight) {
  PolicyQuestion question = question_at(flight->place);
  question.whom = flight->whom;
  Decision decision = temporary_failure("internal error; the log of sealaned says more");
  try {
    auto lookup = find_(question);
    decision = co_await asio::co_spawn(lookup_, std::move(lookup), asio::use_awaitable);
  } catch (const std::exception& error) {
    log(Severity::error, "lookup_threw", {{"key", question.key}, {"what", error.what()}});
  }

  flights_.erase(flight);
  const auto found = under_way_.find(flight->place);
  if (found != under_way_.end() && found->second == flight) under_way_.erase(found);
  if (closed_) co_return;
  flight->answer = answer(decision, question.dialect, question.key);
  if (flight->answer->temporary()) ++counters_.temporary;
  const auto before = by_key_.find(flight->place);
  const bool news =
      before == by_key_.end() || before->second->answer->reply != flight->answer->reply;
  log_answer(question, *flight->answer, decision, news);
  keep(*flight, std::chrono::ceil<seconds>(flight->answer->expires - clock_.steady()));
  flight->landed.cancel();
}

AnswerPtr AnswerCache::answer(const Decision& decision, Dialect dialect,
                              std::string_view text) const {
  auto made = std::make_shared<Answer>();
  made->reply = format_(decision, dialect, text);
  made->reason = decision.reason;
  made->doubt = decision.doubt;
  made->action = decision.action;
  made->sts = decision.sts;
  made->observed = std::find(decision.notices.begin(), decision.notices.end(), Notice::observed) !=
                   decision.notices.end();
  const std::string_view status = reply_status(dialect, made->reply);
  made->held = status == "TEMP" && decision.action != Action::temporary;
  if (made->held) made->reason = made->reply.substr(made->reply.find(' ') + 1);
  const seconds cap = made->temporary() ? kMaxTemporaryTtl : kMaxAnswerTtl;
  made->expires = clock_.steady() + std::clamp(decision.ttl, seconds{0}, cap);
  return made;
}

void AnswerCache::keep(const Flight& flight, seconds ttl) {
  if (flight.generation != generation_ || ttl == seconds{0}) return;
  const AnswerPtr& fresh = flight.answer;
  const auto found = by_key_.find(flight.place);
  if (found != by_key_.end()) {
    // A renewal that could not find out must not end an answer before its time.
    const bool valid = found->second->answer->expires > clock_.steady();
    if (valid && fresh->temporary()) return;
    erase(found->second);
  }

  octets_ += cost_of(flight.place, *fresh);
  std::optional<AskedFor> used;
  if (flight.waiting > 1) used = flight.whom;
  entries_.push_front(Entry{flight.place, fresh, due_.end(), 0, used, false});
  const auto entry = entries_.begin();
  by_key_.emplace(entry->place, entry);
  const seconds lead = std::clamp(ttl / 10, kMinRenewalLead, kMaxRenewalLead);
  schedule(entry, fresh->temporary() ? fresh->expires : fresh->expires - lead);
  while (entries_.size() > 1 && (entries_.size() > limits_.entries || octets_ > limits_.octets)) {
    ++counters_.evicted;
    erase(std::prev(entries_.end()));
  }
}

void AnswerCache::schedule(Entries::iterator entry, std::chrono::steady_clock::time_point when) {
  if (entry->due != due_.end()) due_.erase(entry->due);
  entry->due = due_.emplace(when, entry);
}

void AnswerCache::erase(Entries::iterator entry) {
  octets_ -= cost_of(entry->place, *entry->answer);
  if (entry->due != due_.end()) due_.erase(entry->due);
  by_key_.erase(entry->place);
  entries_.erase(entry);
}

void AnswerCache::renew_due() {
  ++ticks_;
  const auto now = clock_.steady();
  while (!due_.empty() && due_.begin()->first <= now) {
    const Entries::iterator entry = due_.begin()->second;
    if (entry->answer->expires <= now) {
      erase(entry);
      continue;
    }
    schedule(entry, entry->answer->expires);
    entry->renew_on_use = !entry->used;
    if (entry->used) renew(*entry, *entry->used);
  }
}

void AnswerCache::renew(const Entry& entry, AskedFor whom) {
  if (closed_ || under_way_.contains(entry.place)) return;
  if (flights_.size() >= std::min(kMaxFlightsToRenew, limits_.flights)) return;
  ++counters_.renewals;
  launch(entry.place, whom);
}

void AnswerCache::clear() {
  ++generation_;
  entries_.clear();
  by_key_.clear();
  due_.clear();
  octets_ = 0;
  under_way_.clear();  // later questions must not join a lookup that began before
}

void AnswerCache::start() {
  ticker_ = std::make_unique<Ticker>(serving_);
  spawn_detached(serving_, tick(), "renewal");
}

Task<> AnswerCache::tick() {
  while (!closed_) {
    renew_due();
    ticker_->timer.expires_after(seconds{1});
    error_code woken;
    co_await ticker_->timer.async_wait(asio::redirect_error(asio::use_awaitable, woken));
  }
}

void AnswerCache::close() {
  closed_ = true;
  for (const FlightPtr& flight : flights_) flight->landed.cancel();
  if (ticker_) ticker_->timer.cancel();
}

}  // namespace sealane

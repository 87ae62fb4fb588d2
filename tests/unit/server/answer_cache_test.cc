// SPDX-License-Identifier: Apache-2.0
#include "server/answer_cache.h"

#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <thread>

#include "server/cache_by_hand.h"

using namespace sealane;
namespace asio = boost::asio;
using std::chrono::seconds;

namespace {

struct House : CacheByHand {
  using CacheByHand::CacheByHand;
  std::vector<AnswerPtr> answers;  // in the order they came

  Task<> ask_and_keep(PolicyQuestion question) {
    auto asking = cache.ask(std::move(question));
    AnswerPtr answer = co_await std::move(asking);
    answers.push_back(answer);
  }
  void ask_later(const std::string& key, Dialect dialect = Dialect::postfix) {
    asio::co_spawn(io, ask_and_keep(PolicyQuestion{key, dialect, {}}), asio::detached);
  }
  std::string ask(const std::string& key, Dialect dialect = Dialect::postfix) {
    const std::size_t before = answers.size();
    ask_later(key, dialect);
    go();
    REQUIRE(answers.size() == before + 1);
    return answers.back() ? answers.back()->reply : "null";
  }
  bool ready(const std::string& key) { return cache.ready(Dialect::postfix, {}, key) != nullptr; }
  void advance(int by) {
    clock.advance(seconds{by});
    cache.renew_due();
    go();
  }
};

}  // namespace

TEST_CASE("a question is looked up once and then answered without a lookup") {
  House house;
  house.finder.decisions["a.test"] = found(Action::dane_only);
  CHECK_FALSE(house.ready("a.test"));
  CHECK(house.ask("a.test") == "dane-only a.test");
  CHECK(house.ready("a.test"));
  CHECK(house.ask("a.test") == "dane-only a.test");
  CHECK(house.finder.asked.size() == 1);
  CHECK(house.cache.counters().lookups == 1);
}

TEST_CASE("all forms of one destination share an answer") {
  House house;
  house.ask("a.test");
  CHECK(house.ready("A.Test"));
  CHECK(house.ready("a.test."));
  CHECK(house.ready("a.test:25"));
  CHECK(house.ready("a.test:smtp"));
  CHECK_FALSE(house.ready("[a.test]"));
  CHECK_FALSE(house.ready("a.test:587"));
  house.ask(
      "B\xc3\x9c"
      "cher.test");
  CHECK(house.ready("xn--bcher-kva.test"));
  CHECK(house.finder.asked.size() == 2);
}

TEST_CASE("dialects and request flags never share an answer") {
  House house;
  house.ask("a.test", Dialect::postfix);
  CHECK(house.cache.ready(Dialect::postfix, {}, "a.test"));
  CHECK_FALSE(house.cache.ready(Dialect::postfix_tlsrpt, {}, "a.test"));
  CHECK_FALSE(house.cache.ready(Dialect::requiretls, {}, "a.test"));
  CHECK_FALSE(house.cache.ready(Dialect::postfix, {true, false}, "a.test"));
  CHECK_FALSE(house.cache.ready(Dialect::postfix, {false, true}, "a.test"));

  house.ask("a.test", Dialect::sendmail_sts);
  REQUIRE(house.finder.asked.size() == 2);
  CHECK(house.finder.asked[1].dialect == Dialect::sendmail_sts);
}

TEST_CASE("the flags of a question reach the finder") {
  House house;
  const PolicyQuestion question{"a.test", Dialect::exim, {true, true}};
  asio::co_spawn(house.io, house.ask_and_keep(question), asio::detached);
  house.go();
  REQUIRE(house.finder.asked.size() == 1);
  CHECK(house.finder.asked[0].key == "a.test");
  CHECK(house.finder.asked[0].dialect == Dialect::exim);
  CHECK(house.finder.asked[0].flags == RequestFlags{true, true});
}

TEST_CASE("keys without a destination are answered at once and never kept") {
  House house;
  CHECK(house.ready(".example.com"));
  CHECK(house.ready("[192.0.2.1]"));
  CHECK(house.ready(""));
  CHECK(house.ready(std::string(5000, 'a')));
  CHECK(house.ask(".example.com") == "not-found .example.com");
  CHECK(house.ask("a\xff.test").starts_with("temporary a\xff.test: "));
  CHECK(house.finder.asked.empty());
  CHECK(house.cache.entries() == 0);
  CHECK(house.cache.counters().direct == 6);
}

TEST_CASE("questions under way are joined") {
  House house;
  house.finder.hold = {"a.test"};
  house.finder.decisions["a.test"] = found(Action::dane);
  for (int i = 0; i < 100; ++i) house.ask_later(i % 2 == 0 ? "a.test" : "A.TEST");
  house.go();
  CHECK(house.answers.empty());
  CHECK(house.cache.flights() == 1);
  house.finder.release();
  house.go();
  REQUIRE(house.answers.size() == 100);
  for (const AnswerPtr& answer : house.answers) CHECK(answer->reply == "dane a.test");
  CHECK(house.finder.asked.size() == 1);
  CHECK(house.cache.counters().joined == 99);
  CHECK(house.cache.flights() == 0);
}

TEST_CASE("an answer lives as long as its decision says") {
  House house;
  house.finder.decisions["a.test"] = found(Action::dane, seconds{60});
  house.ask("a.test");
  house.clock.advance(seconds{59});
  CHECK(house.ready("a.test"));
  house.clock.advance(seconds{1});
  CHECK_FALSE(house.ready("a.test"));
}

TEST_CASE("no answer lives longer than 300 s, and no temporary one longer than 30 s") {
  House house;
  house.finder.decisions["a.test"] = found(Action::dane, seconds{86'400});
  house.finder.decisions["b.test"] = found(Action::temporary, seconds{86'400});
  house.ask("a.test");
  house.ask("b.test");
  house.clock.advance(seconds{29});
  CHECK(house.ready("b.test"));
  house.clock.advance(seconds{1});
  CHECK_FALSE(house.ready("b.test"));
  house.clock.advance(seconds{269});
  CHECK(house.ready("a.test"));
  house.clock.advance(seconds{1});
  CHECK_FALSE(house.ready("a.test"));
}

TEST_CASE("an answer with TTL 0 serves those who wait for it and nobody else") {
  House house;
  house.finder.hold = {"a.test"};
  house.finder.decisions["a.test"] = found(Action::dane, seconds{0});
  house.ask_later("a.test");
  house.ask_later("a.test");
  house.go();
  house.finder.release();
  house.go();
  CHECK(house.answers.size() == 2);
  CHECK(house.cache.entries() == 0);
  house.ask("a.test");
  CHECK(house.finder.asked.size() == 2);
}

TEST_CASE("an answer in use is renewed before it runs out, and serves until then") {
  House house;
  house.ask("a.test");
  CHECK(house.ready("a.test"));
  house.advance(269);
  CHECK(house.finder.asked.size() == 1);

  house.finder.hold = {"a.test"};
  house.finder.decisions["a.test"] = found(Action::dane);
  house.advance(1);  // a tenth of its life is left
  CHECK(house.finder.asked.size() == 2);
  CHECK(house.ask("a.test") == "not-found a.test");
  house.finder.release();
  house.go();
  CHECK(house.ask("a.test") == "dane a.test");
  house.advance(31);
  CHECK(house.ready("a.test"));
  CHECK(house.cache.counters().renewals == 1);
  CHECK(house.cache.entries() == 1);
}

TEST_CASE("a busy destination is never cold over an hour") {
  House house;
  house.finder.decisions["a.test"] = found(Action::dane, seconds{60});
  house.ask("a.test");
  for (int second = 0; second < 3600; ++second) {
    house.advance(1);
    REQUIRE(house.ready("a.test"));
  }
  CHECK(house.finder.asked.size() <= 3600 / 53);
}

TEST_CASE("an answer that is first used when it is about to run out is renewed then") {
  House house;
  house.ask("a.test");
  house.advance(271);
  CHECK(house.finder.asked.size() == 1);
  CHECK(house.ready("a.test"));
  CHECK(house.ready("a.test"));
  house.go();
  CHECK(house.finder.asked.size() == 2);
  house.advance(100);
  CHECK(house.ready("a.test"));
}

TEST_CASE("an answer that nobody uses is dropped at its end") {
  House house;
  house.ask("a.test");
  house.advance(299);
  CHECK(house.cache.entries() == 1);
  house.advance(1);
  CHECK(house.cache.entries() == 0);
  CHECK(house.cache.octets() == 0);
  CHECK(house.finder.asked.size() == 1);
}

TEST_CASE("a renewal that could not find out does not end an answer before its time") {
  House house;
  house.finder.decisions["a.test"] = found(Action::dane);
  house.ask("a.test");
  CHECK(house.ready("a.test"));
  house.finder.decisions["a.test"] = found(Action::temporary);
  house.advance(270);
  CHECK(house.finder.asked.size() == 2);
  house.advance(29);
  CHECK(house.ask("a.test") == "dane a.test");
  house.advance(1);
  CHECK(house.ask("a.test") == "temporary a.test: resolver down");
}

TEST_CASE("who asks after the end joins the renewal that still runs") {
  House house;
  house.ask("a.test");
  CHECK(house.ready("a.test"));
  house.finder.hold = {"a.test"};
  house.advance(270);
  house.advance(31);
  house.ask_later("a.test");
  house.go();
  CHECK(house.answers.size() == 1);
  house.finder.release();
  house.go();
  CHECK(house.answers.size() == 2);
  CHECK(house.finder.asked.size() == 2);
}

TEST_CASE("too many lookups under way give a temporary answer with a reason, which is not kept") {
  CacheLimits limits;
  limits.flights = 2;
  House house(limits);
  house.finder.hold = {"a.test", "b.test"};
  house.ask_later("a.test");
  house.ask_later("b.test");
  house.go();
  CHECK(house.ask("c.test") == "temporary c.test: too many lookups are under way");
  CHECK(house.cache.counters().overloads == 1);
  house.ask_later("a.test");  // joining is no further lookup
  house.go();
  house.finder.release();
  house.go();
  CHECK(house.answers.size() == 4);
  CHECK(house.ask("c.test") == "not-found c.test");
}

TEST_CASE("the least recently used answer makes room") {
  CacheLimits limits;
  limits.entries = 2;
  House house(limits);
  house.ask("a.test");
  house.ask("b.test");
  CHECK(house.ready("a.test"));
  house.ask("c.test");
  CHECK(house.ready("a.test"));
  CHECK_FALSE(house.ready("b.test"));
  CHECK(house.ready("c.test"));
  CHECK(house.cache.counters().evicted == 1);
}

TEST_CASE("the answers' octets are bounded") {
  CacheLimits limits;
  limits.octets = 100'000;
  House house(limits);
  for (int i = 0; i < 1000; ++i) house.ask("host" + std::to_string(i) + ".test");
  CHECK(house.cache.octets() <= 100'000);
  CHECK(house.cache.entries() > 100);
  CHECK(house.ready("host999.test"));
  CHECK_FALSE(house.ready("host0.test"));
}

TEST_CASE("clearing forgets all answers, and a lookup that began before is not kept") {
  House house;
  house.ask("a.test");
  house.finder.hold = {"b.test"};
  house.ask_later("b.test");
  house.go();
  house.cache.clear();
  CHECK_FALSE(house.ready("a.test"));
  CHECK(house.cache.octets() == 0);

  house.ask_later("b.test");  // must not join: what it learns may be out of date
  house.go();
  CHECK(house.finder.count("b.test") == 2);
  house.finder.release();
  house.go();
  CHECK(house.answers.size() == 3);
  CHECK(house.ready("b.test"));
  CHECK(house.cache.entries() == 1);
}

TEST_CASE("a finder that throws gives a temporary answer with a reason") {
  House house;
  house.finder.broken = {"a.test"};
  CHECK(house.ask("a.test").starts_with("temporary a.test: internal error"));
  CHECK(house.cache.flights() == 0);
}

TEST_CASE("closing wakes who waits without an answer, and later questions get none") {
  House house;
  house.ask("b.test");
  house.finder.hold = {"a.test"};
  house.ask_later("a.test");
  house.go();
  house.cache.close();
  house.go();
  REQUIRE(house.answers.size() == 2);
  CHECK(house.answers[1] == nullptr);
  CHECK(house.ask("b.test") == "null");
  CHECK(house.cache.flights() == 1);
  house.finder.release();
  house.go();
  CHECK(house.cache.flights() == 0);
  CHECK(house.io.stopped());
}

TEST_CASE("two threads: 400 askers of 11 keys cost 11 lookups, and all end in order") {
  asio::io_context serving(1);
  asio::io_context lookup(1);
  FakeClock clock;
  FakeFinder finder;
  AnswerCache cache(
      serving.get_executor(), lookup.get_executor(),
      [&finder](PolicyQuestion question) { return finder.find(std::move(question)); }, fake_format,
      clock);
  auto guard = asio::make_work_guard(lookup);
  std::thread thread([&lookup] { lookup.run(); });

  std::size_t answered = 0;
  const auto count = [&answered](std::exception_ptr error, const AnswerPtr& answer) {
    if (!error && answer && !answer->temporary()) ++answered;
  };
  for (int i = 0; i < 400; ++i) {
    const PolicyQuestion question{"host" + std::to_string(i % 11) + ".test", Dialect::postfix, {}};
    asio::co_spawn(serving, cache.ask(question), count);
  }
  cache.start();
  while (answered < 400) serving.run_one();
  cache.close();
  serving.run();
  guard.reset();
  thread.join();
  CHECK(finder.asked.size() == 11);
  CHECK(cache.flights() == 0);
}

// SPDX-License-Identifier: Apache-2.0
// On whose behalf answers are looked up and renewed: what mail has not met is reported to nobody.
#include <doctest/doctest.h>

#include "server/cache_by_hand.h"

using namespace sealane;
namespace asio = boost::asio;
using std::chrono::seconds;

namespace {

/// Everybody asks for a.test.
struct House : CacheByHand {
  using CacheByHand::CacheByHand;
  std::size_t answered = 0;

  void ask(AskedFor whom) {
    const PolicyQuestion question{"a.test", Dialect::postfix, {}, whom};
    asio::co_spawn(io, cache.ask(question), [this](std::exception_ptr, const AnswerPtr& answer) {
      if (answer && !answer->temporary()) ++answered;
    });
    go();
  }
  void advance(int by) {
    clock.advance(seconds{by});
    cache.renew_due();
    go();
  }
  std::vector<AskedFor> asked() const {
    std::vector<AskedFor> all;
    for (const PolicyQuestion& question : finder.asked) all.push_back(question.whom);
    return all;
  }
};

using Asked = std::vector<AskedFor>;
constexpr int kAboutToRunOut = 271;  ///< seconds, of the 300 that an answer lives

}  // namespace

TEST_CASE("an answer that only people use is renewed for people") {
  House house;
  house.ask(AskedFor::people);
  house.ask(AskedFor::people);
  house.advance(kAboutToRunOut);
  CHECK(house.asked() == Asked{AskedFor::people, AskedFor::people});
}

TEST_CASE("an answer that mail has used is renewed for mail, whoever uses it besides") {
  House house;
  house.ask(AskedFor::people);
  CHECK(house.cache.ready(Dialect::postfix, {}, "A.Test:25"));  // a front end
  house.ask(AskedFor::people);
  house.advance(kAboutToRunOut);
  CHECK(house.asked() == Asked{AskedFor::people, AskedFor::mail});
}

TEST_CASE("mail that is gone does not stand behind what people keep in use") {
  House house;
  house.ask(AskedFor::mail);
  house.ask(AskedFor::mail);
  house.advance(kAboutToRunOut);
  house.ask(AskedFor::people);
  house.advance(kAboutToRunOut);
  CHECK(house.asked() == Asked{AskedFor::mail, AskedFor::mail, AskedFor::people});
}

TEST_CASE("an answer first used when it is about to run out is renewed for who uses it") {
  for (const AskedFor whom : {AskedFor::people, AskedFor::before_mail, AskedFor::mail}) {
    House house;
    house.ask(AskedFor::mail);
    house.advance(kAboutToRunOut);
    house.ask(whom);
    CHECK(house.asked() == Asked{AskedFor::mail, whom});
  }
}

TEST_CASE("an answer that several waited for is renewed for those of them who began") {
  House house;
  house.finder.hold = {"a.test"};
  house.ask(AskedFor::people);
  house.ask(AskedFor::people);
  house.finder.release();
  house.go();
  house.advance(kAboutToRunOut);
  CHECK(house.asked() == Asked{AskedFor::people, AskedFor::people});
}

TEST_CASE("mail does not join what people have asked, and people join mail") {
  House house;
  house.finder.hold = {"a.test"};
  house.ask(AskedFor::people);
  house.ask(AskedFor::before_mail);
  house.ask(AskedFor::mail);
  house.ask(AskedFor::mail);
  house.ask(AskedFor::before_mail);
  house.ask(AskedFor::people);
  CHECK(house.asked() == Asked{AskedFor::people, AskedFor::before_mail, AskedFor::mail});
  CHECK(house.cache.counters().joined == 3);
  house.finder.release();
  house.go();
  CHECK(house.answered == 6);
  CHECK(house.cache.flights() == 0);
  CHECK(house.cache.entries() == 1);
  house.ask(AskedFor::mail);
  CHECK(house.finder.asked.size() == 3);
}

TEST_CASE("where there is no room for another lookup mail joins that of people") {
  CacheLimits limits;
  limits.flights = 1;
  House house(limits);
  house.finder.hold = {"a.test"};
  house.ask(AskedFor::people);
  house.ask(AskedFor::mail);
  house.finder.release();
  house.go();
  CHECK(house.answered == 2);
  CHECK(house.asked() == Asked{AskedFor::people});
  CHECK(house.cache.counters().overloads == 0);
}

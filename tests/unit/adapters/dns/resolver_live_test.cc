// SPDX-License-Identifier: Apache-2.0
// The resolver against real ones: run by live_world, which says who is where.
#include <signal.h>

#include <algorithm>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <cstdlib>
#include <map>
#include <thread>

#include "adapters/dns/getdns_resolver.h"
#include "base/text.h"
#include "fakes.h"
#include "meddler.h"

using namespace sealane;
using namespace std::chrono_literals;

namespace {

namespace asio = boost::asio;
using std::chrono::steady_clock;

const NameServer kValidating{asio::ip::make_address("127.0.0.1"), 53};
const NameServer kGullible{asio::ip::make_address("127.0.0.3"), 53};
const NameServer kRefusing{asio::ip::make_address("127.0.0.4"), 53};
const NameServer kVictim{asio::ip::make_address("127.0.0.6"), 53};
const NameServer kNobody{asio::ip::make_address("127.0.0.9"), 53};

struct World {
  asio::io_context io{1};
  FakeClock clock;
  std::unique_ptr<GetdnsResolver> resolver;

  explicit World(std::vector<NameServer> upstreams) { start(std::move(upstreams)); }
  World() = default;

  void start(std::vector<NameServer> upstreams) {
    ResolverOptions options;
    options.upstreams = std::move(upstreams);
    options.patience = {300ms, 300ms, 300ms};
    auto made = GetdnsResolver::create(io.get_executor(), clock, options);
    REQUIRE(made.has_value());
    resolver = std::move(*made);
  }

  DnsReply ask(std::string_view name, RrType type, const std::string& key = "") {
    return run(resolver->ask({domain(name), type, key}), io);
  }
  std::uint64_t packets() const { return resolver->status().queries; }

  /// Asks and does not wait; the reply goes to `into`.
  void ask_later(std::string_view name, RrType type, std::vector<DnsReply>& into,
                 const std::string& key = "") {
    asio::co_spawn(io, resolver->ask({domain(name), type, key}),
                   [&into](std::exception_ptr error, DnsReply reply) {
                     CHECK_FALSE(error);
                     into.push_back(std::move(reply));
                   });
  }
};

std::string summary(const DnsReply& reply) {
  switch (reply.status) {
    case DnsStatus::ok:
      return reply.secure ? "ok secure" : "ok insecure";
    case DnsStatus::nodata:
      return reply.secure ? "nodata secure" : "nodata insecure";
    case DnsStatus::nxdomain:
      return reply.secure ? "nxdomain secure" : "nxdomain insecure";
    case DnsStatus::failed:
      return (reply.own_fault ? "own fault: " : "failed: ") + reply.why;
  }
  return "?";
}

bool starts_with(const std::string& question, std::string_view label) {
  return !question.empty() && std::string_view(question).substr(1).starts_with(label);
}

/// A question's name stands first in a reply, right behind the header.
void rename_question(std::string& reply) { reply[13] = 'x'; }

}  // namespace

TEST_CASE("every kind of answer comes out as the validating resolver vouches for it") {
  World world({kValidating});
  const std::map<std::pair<std::string, RrType>, std::string> expected{
      {{"good.test", RrType::a}, "ok secure"},
      {{"good.test", RrType::aaaa}, "ok secure"},
      {{"_25._tcp.good.test", RrType::tlsa}, "ok secure"},
      {{"good.test", RrType::tlsa}, "nodata secure"},
      {{"nope.test", RrType::a}, "nxdomain secure"},
      {{"x.wild.test", RrType::a}, "ok secure"},
      {{"x.wild.test", RrType::tlsa}, "nodata secure"},
      {{"plain.test", RrType::mx}, "ok insecure"},
      {{"_mta-sts.plain.test", RrType::txt}, "ok insecure"},
      {{"www.plain.test", RrType::tlsa}, "nodata insecure"},
      {{"nope.plain.test", RrType::a}, "nxdomain insecure"},
      {{"nope.optout.test", RrType::a}, "nxdomain insecure"},
      {{"www.optout.test", RrType::a}, "ok secure"},
      {{"www.bogus.test", RrType::a}, "failed: SERVFAIL"},
      {{"tobogus.test", RrType::a}, "failed: SERVFAIL"},
      {{"loop1.test", RrType::a}, "failed: SERVFAIL"},
      {{"toplain.test", RrType::a}, "ok insecure"},
      {{"toplain.test", RrType::cname}, "ok secure"},
      {{"tomissing.test", RrType::a}, "nxdomain secure"},
      {{"tonodata.test", RrType::tlsa}, "nodata secure"},
      {{"c0.test", RrType::a}, "ok secure"},
      {{"d0.test", RrType::a}, "failed: alias chain too long"},
  };
  for (const auto& row : expected) {
    const std::string text = row.first.first + " " + std::string(name_of(row.first.second)) + ": ";
    CHECK(text + summary(world.ask(row.first.first, row.first.second)) == text + row.second);
  }
  CHECK(world.resolver->status().own_faults == 0);
}

TEST_CASE("records arrive whole") {
  World world({kValidating});
  CHECK(world.ask("good.test", RrType::a).addresses.size() == 2);
  CHECK(world.ask("good.test", RrType::aaaa).addresses.at(0).to_string() == "2001:db8::1");
  auto mx = world.ask("good.test", RrType::mx).mx;
  std::sort(mx.begin(), mx.end(),
            [](const auto& a, const auto& b) { return a.preference < b.preference; });
  REQUIRE(mx.size() == 2);
  CHECK(mx[0] == MxRecord{10, "mx1.test"});
  CHECK(lower_ascii(mx[1].target) == "mx2.plain.test");
  CHECK(world.ask("null.test", RrType::mx).mx == std::vector<MxRecord>{{0, "."}});
  CHECK(world.ask("odd.test", RrType::mx).mx == std::vector<MxRecord>{{5, "a\\046b.test"}});
  CHECK(world.ask("many.test", RrType::mx).mx.size() == 200);
  auto txt = world.ask("good.test", RrType::txt).txt;
  std::sort(txt.begin(), txt.end());
  CHECK(txt == std::vector<std::string>{"two", "v=one"});
  const auto tlsa = world.ask("_25._tcp.good.test", RrType::tlsa).tlsa;
  CHECK(tlsa.size() == 2);
  CHECK(std::count(tlsa.begin(), tlsa.end(), TlsaRecord{2, 0, 1, {}}) == 1);
  CHECK(std::count(tlsa.begin(), tlsa.end(), tlsa_311()) == 1);
  CHECK(world.ask("toplain.test", RrType::cname).cname == domain("www.plain.test"));
  CHECK(world.ask("toplain.test", RrType::a).aliases == std::vector<std::string>{"www.plain.test"});
}

TEST_CASE("an answer too big for UDP comes by TCP") {
  World world({kValidating});
  const DnsReply reply = world.ask("big.test", RrType::txt);
  CHECK(summary(reply) == "ok secure");
  CHECK(reply.txt.size() == 25);
}

TEST_CASE("answers are asked for once, those without a TTL each time") {
  World world({kValidating});
  world.ask("good.test", RrType::a);
  CHECK(world.packets() == 1);
  CHECK(world.ask("good.test", RrType::a).ttl <= 300s);
  CHECK(world.packets() == 1);
  world.clock.advance(301s);
  world.ask("good.test", RrType::a);
  CHECK(world.packets() == 2);
  CHECK(world.ask("zero.test", RrType::a).ttl == 0s);
  CHECK(world.ask("zero.test", RrType::a).ttl == 0s);
  CHECK(world.packets() == 4);
}

TEST_CASE("equal questions under way are one lookup") {
  World world({kValidating});
  std::vector<DnsReply> replies;
  for (int i = 0; i < 100; ++i) world.ask_later("good.test", RrType::a, replies);
  while (replies.size() < 100) world.io.run_one();
  CHECK(world.packets() == 1);
  CHECK(world.resolver->status().joined == 99);
  for (const DnsReply& reply : replies) CHECK(summary(reply) == "ok secure");
}

TEST_CASE("who stops waiting does not disturb the others") {
  using namespace asio::experimental::awaitable_operators;
  World world;
  Meddler meddler(world.io, "127.0.0.1");
  meddler.loses = [](const auto&, int count) { return count == 1; };
  world.start({meddler.server()});
  std::vector<DnsReply> replies;
  asio::steady_timer timer(world.io, 50ms);
  bool left = false;
  const auto leave = [&]() -> Task<> {
    auto question = world.resolver->ask({domain("good.test"), RrType::a, ""});
    auto deadline = timer.async_wait(asio::use_awaitable);
    const auto first = co_await (std::move(question) || std::move(deadline));
    left = first.index() == 1;
  };
  asio::co_spawn(world.io, leave, asio::detached);
  world.ask_later("good.test", RrType::a, replies);
  while (replies.empty()) world.io.run_one();
  CHECK(left);
  CHECK(summary(replies[0]) == "ok secure");
}

TEST_CASE("a resolver that does not validate fails the self-test, and nothing it says counts") {
  World world({kGullible});
  const SelfTestReport report = run(world.resolver->self_test(), world.io);
  REQUIRE(report.upstreams.size() == 1);
  CHECK_FALSE(report.any_passed());
  CHECK(report.upstreams[0].text ==
        "127.0.0.3: it answers for the root without AD: it does not validate DNSSEC");
  for (const char* name : {"good.test", "www.plain.test", "www.bogus.test", "nope.test"}) {
    const DnsReply reply = world.ask(name, RrType::a);
    CHECK(reply.failed());
    CHECK(reply.own_fault);
  }
}

TEST_CASE("a validating resolver passes, and of two each is judged by itself") {
  World world({kValidating, kGullible});
  const SelfTestReport report = run(world.resolver->self_test(), world.io);
  CHECK(report.any_passed());
  CHECK_FALSE(report.all_passed());
  CHECK(report.upstreams.at(0).text == "127.0.0.1: validates DNSSEC");
}

TEST_CASE("a resolver that stops validating is noticed within a minute, and so is its recovery") {
  World world;
  Meddler meddler(world.io, "127.0.0.1");
  world.start({meddler.server()});
  CHECK(summary(world.ask("www.plain.test", RrType::a)) == "ok insecure");
  meddler.aim_at("127.0.0.3");
  world.clock.advance(61s);
  for (const char* name : {"good.test", "mx.plain.test", "nope.test"}) {
    const DnsReply reply = world.ask(name, RrType::a);
    CHECK(reply.failed());
    CHECK(reply.own_fault);
  }
  meddler.aim_at("127.0.0.1");
  world.clock.advance(2s);
  std::this_thread::sleep_for(1100ms);
  CHECK(summary(world.ask("mx.plain.test", RrType::a)) == "ok insecure");
  CHECK(summary(world.ask("good.test", RrType::a)) == "ok secure");
}

TEST_CASE("where nobody's AD counts every answer is insecure and errors stay errors") {
  World world;
  ResolverOptions options;
  options.upstreams = {kValidating};
  options.trust_ad = TrustAd::never;
  world.resolver =
      std::move(*GetdnsResolver::create(world.io.get_executor(), world.clock, options));
  CHECK(summary(world.ask("good.test", RrType::a)) == "ok insecure");
  CHECK(summary(world.ask("nope.test", RrType::a)) == "nxdomain insecure");
  CHECK(summary(world.ask("www.bogus.test", RrType::a)) == "failed: SERVFAIL");
  CHECK(run(world.resolver->self_test(), world.io).upstreams.at(0).text == "127.0.0.1: answers");
}

TEST_CASE("the canary must be SERVFAIL") {
  for (const auto& [canary, passes] : {std::pair("www.bogus.test", true), {"good.test", false}}) {
    World world;
    ResolverOptions options;
    options.upstreams = {kValidating};
    options.bogus_canary = domain(canary);
    world.resolver =
        std::move(*GetdnsResolver::create(world.io.get_executor(), world.clock, options));
    CHECK(run(world.resolver->self_test(), world.io).all_passed() == passes);
    CHECK(world.ask("www.plain.test", RrType::a).failed() == !passes);
  }
}

TEST_CASE("SERVFAIL is the last word, whatever another resolver would say") {
  World world({kValidating, kGullible});
  CHECK(summary(world.ask("www.bogus.test", RrType::a)) == "failed: SERVFAIL");
}

TEST_CASE("a resolver that refuses us is passed over, and alone it is our fault") {
  World world({kRefusing, kValidating});
  CHECK(summary(world.ask("good.test", RrType::a)) == "ok secure");
  World alone({kRefusing});
  CHECK(summary(alone.ask("good.test", RrType::a)) == "own fault: the resolver answers REFUSED");
}

TEST_CASE("a resolver that is gone is passed over, and asked last from then on") {
  World world({kNobody, kValidating});
  CHECK(summary(world.ask("good.test", RrType::a)) == "ok secure");
  run(world.resolver->self_test(), world.io);
  const auto before = steady_clock::now();
  CHECK(summary(world.ask("good.test", RrType::aaaa)) == "ok secure");
  CHECK(steady_clock::now() - before < 200ms);
}

TEST_CASE("when the only resolver dies it is our fault, for a second") {
  World world({kVictim});
  CHECK(summary(world.ask("good.test", RrType::a)) == "ok secure");
  const char* victim = std::getenv("LIVE_VICTIM");
  REQUIRE(victim != nullptr);
  REQUIRE(kill(std::atoi(victim), SIGKILL) == 0);
  CHECK(summary(world.ask("good.test", RrType::a)) == "ok secure");  // from the cache
  const DnsReply reply = world.ask("good.test", RrType::aaaa);
  CHECK(summary(reply) == "own fault: no resolver answers");
  CHECK(reply.ttl == 1s);
}

TEST_CASE("a name that gets no answer is not our fault while the resolver lives") {
  World world;
  Meddler meddler(world.io, "127.0.0.1");
  meddler.loses = [](const std::string& question, int) { return starts_with(question, "good"); };
  world.start({meddler.server()});
  CHECK(summary(world.ask("good.test", RrType::a)) == "failed: timeout");
  CHECK(summary(world.ask("www.plain.test", RrType::a)) == "ok insecure");
}

TEST_CASE("lost packets are sent again") {
  World world;
  Meddler meddler(world.io, "127.0.0.1");
  meddler.loses = [](const auto&, int count) { return count <= 2; };
  world.start({meddler.server()});
  std::vector<DnsReply> replies;
  constexpr std::size_t kNames = 200;  // the meddler's socket holds some 250 packets
  for (std::size_t i = 0; i < kNames; ++i) {
    world.ask_later("x" + std::to_string(i) + ".wild.test", RrType::a, replies,
                    std::to_string(i % 10));
  }
  while (replies.size() < kNames) world.io.run_one();
  for (const DnsReply& reply : replies) CHECK(summary(reply) == "ok secure");
}

TEST_CASE("the answer to another question is not taken") {
  World world;
  Meddler meddler(world.io, "127.0.0.1");
  world.start({meddler.server()});
  run(world.resolver->self_test(), world.io);
  meddler.changes = rename_question;
  CHECK(summary(world.ask("good.test", RrType::a)) == "failed: reply to another question");
}

TEST_CASE("one next-hop with many names leaves room for another one") {
  World world;
  Meddler meddler(world.io, "127.0.0.1");
  meddler.loses = [](const std::string& question, int) { return starts_with(question, "hang"); };
  world.start({meddler.server()});
  std::vector<DnsReply> hanging;
  for (int i = 0; i < 200; ++i) {
    world.ask_later("hang" + std::to_string(i) + ".test", RrType::a, hanging, "greedy");
  }
  while (world.resolver->status().in_flight < 64) world.io.run_one();
  CHECK(summary(world.ask("good.test", RrType::a, "modest")) == "ok secure");
  CHECK(hanging.empty());
  CHECK(world.resolver->status().in_flight == 64);
  CHECK(world.resolver->status().waiting == 136);
  world.resolver->close();
  while (hanging.size() < 200) world.io.run_one();
  CHECK(summary(hanging[0]) == "own fault: shutting down");
}

TEST_CASE("who waits too long for a turn is told that it is our fault") {
  World world;
  Meddler meddler(world.io, "127.0.0.1");
  meddler.loses = [](const std::string& question, int) { return starts_with(question, "hang"); };
  ResolverOptions options;
  options.upstreams = {meddler.server()};
  world.resolver =
      std::move(*GetdnsResolver::create(world.io.get_executor(), world.clock, options));
  std::vector<DnsReply> hanging;
  for (int i = 0; i < 100; ++i) {
    world.ask_later("hang" + std::to_string(i) + ".test", RrType::a, hanging, "greedy");
  }
  const auto began = steady_clock::now();
  while (hanging.size() < 36) world.io.run_one();
  CHECK(steady_clock::now() - began < 6s);
  CHECK(summary(hanging[0]) == "own fault: too many DNS lookups");
}

TEST_CASE("closing ends every lookup at once and the executor runs dry") {
  World world;
  Meddler meddler(world.io, "127.0.0.1");
  int forwarded = 0;
  meddler.loses = [&](const auto&, int) { return ++forwarded > 100; };
  world.start({meddler.server()});
  std::vector<DnsReply> replies;
  for (int i = 0; i < 500; ++i) {
    world.ask_later("y" + std::to_string(i) + ".wild.test", RrType::a, replies,
                    std::to_string(i % 20));
  }
  while (replies.size() < 50) world.io.run_one();
  world.resolver->close();
  world.resolver->close();
  meddler.stop();
  const auto began = steady_clock::now();
  world.io.run();
  CHECK(steady_clock::now() - began < 500ms);
  CHECK(replies.size() == 500);
  world.io.restart();
  CHECK(summary(run(world.resolver->ask({domain("good.test"), RrType::a, ""}), world.io)) ==
        "own fault: shutting down");
}

TEST_CASE("a resolver destroyed with lookups in flight leaves nothing behind") {
  std::vector<DnsReply> replies;
  {
    World world;
    Meddler meddler(world.io, "127.0.0.1");
    meddler.loses = [](const auto&, int count) { return count == 1; };
    world.start({meddler.server()});
    for (int i = 0; i < 200; ++i) {
      world.ask_later("z" + std::to_string(i) + ".wild.test", RrType::a, replies,
                      std::to_string(i % 20));
    }
    for (int i = 0; i < 300; ++i) world.io.run_one();
    world.resolver.reset();
  }
  CHECK(replies.size() <= 200);
}

TEST_CASE("without a resolver on this host the start is refused, with words that help") {
  World world;
  const auto refusal = [&](ResolverOptions options) {
    auto made = GetdnsResolver::create(world.io.get_executor(), world.clock, options);
    return made ? std::string() : made.error();
  };
  CHECK(refusal({}).find("no DNS resolver on a loopback address") != std::string::npos);
  ResolverOptions remote;
  remote.upstreams = {{asio::ip::make_address("192.0.2.53"), 53}};
  CHECK(refusal(remote).find("192.0.2.53 is not on a loopback address") != std::string::npos);
  remote.trust_ad = TrustAd::always;
  CHECK(refusal(remote).empty());
  remote.trust_ad = TrustAd::never;
  CHECK(refusal(remote).empty());
}

// SPDX-License-Identifier: Apache-2.0
// Many lookups at once, lost and mangled packets, and the end of it all.
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <random>

#include "live_fixture.h"

using namespace sealane;
using namespace std::chrono_literals;
using std::chrono::steady_clock;

namespace {

namespace asio = boost::asio;

bool starts_with(const std::string& question, std::string_view label) {
  return !question.empty() && std::string_view(question).substr(1).starts_with(label);
}

/// A question's name stands first in a reply, right behind the header.
void rename_question(std::string& reply) { reply[13] = 'x'; }

}  // namespace

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
  constexpr std::size_t kNames = 50;  // few enough for the patience above, under any sanitizer
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

TEST_CASE("mangled replies do no harm, neither in getdns nor here") {
  World world;
  Meddler meddler(world.io, "127.0.0.1");
  world.start({meddler.server()});
  run(world.resolver->self_test(), world.io);
  std::mt19937 random(8);
  meddler.changes = [&](std::string& reply) {
    if (random() % 4 == 0) reply.replace(reply.size() - 2, 2, "\xff\xff");  // length of OPT's data
    if (random() % 4 == 0) reply.resize(13 + random() % (reply.size() - 13));
    for (auto n = random() % 3 + 1; n > 0; --n) {
      const std::size_t at = 12 + random() % (reply.size() - 12);
      reply[at] = static_cast<char>(random());
    }
  };
  for (int i = 0; i < 1000; ++i) {
    const DnsReply reply = world.ask("_25._tcp.good.test", RrType::tlsa);
    if (reply.failed()) CHECK_FALSE(reply.secure);
    world.clock.advance(3601s);
    if (i % 8 == 0) run(world.resolver->self_test(), world.io);
  }
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

TEST_CASE(
    "a name that waits behind a greedy next-hop does not wait for another one that wants it") {
  World world;
  Meddler meddler(world.io, "127.0.0.1");
  meddler.loses = [](const std::string& question, int) { return starts_with(question, "hang"); };
  world.start({meddler.server()});
  std::vector<DnsReply> hanging;
  for (int i = 0; i < 100; ++i) {
    world.ask_later("hang" + std::to_string(i) + ".test", RrType::a, hanging, "greedy");
  }
  world.ask_later("good.test", RrType::a, hanging, "greedy");
  while (world.resolver->status().waiting < 37) world.io.run_one();
  CHECK(summary(world.ask("good.test", RrType::a, "modest")) == "ok secure");
  CHECK(world.resolver->status().joined == 1);
  CHECK(world.resolver->status().in_flight == 64);
  CHECK(world.resolver->status().waiting == 36);
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

// SPDX-License-Identifier: Apache-2.0
#include "adapters/store/sqlite_store.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/detached.hpp>
#include <csignal>

#include "policy/sts_policy.h"
#include "store_bench.h"

namespace sealane {
namespace {

using Rows = std::vector<std::pair<Domain, StsMemory>>;
using Steady = std::chrono::steady_clock;

StsMemory full_memory() {
  StsMemory memory;
  memory.policy = StoredPolicy{"20240101T000000", "version: STSv1\r\nmode: none\r\n", at(1), at(2)};
  memory.txt_id = "20240102T000000";
  memory.none_since = at(3);
  memory.txt_errors = {at(4), 5, at(6), "SERVFAIL"};
  memory.fetch_errors = {at(7), 4294967295, at(9), "certificate expired on 2026-01-31"};
  memory.failed_id = "20240103T000000";
  memory.asked = at(10);
  return memory;
}

TEST_CASE("every field comes back as it was put") {
  const Folder folder;
  Opened store(folder.path("s"));
  const auto round_trip = [&](const StsMemory& memory) {
    const Domain name = domain("example.net");
    const auto put = store.put(name, memory);
    REQUIRE_MESSAGE(put.has_value(), put.error());
    const auto found = store.find(name);
    REQUIRE_MESSAGE(found.has_value(), found.error());
    REQUIRE(found->has_value());
    CHECK(**found == memory);
  };
  round_trip(StsMemory());
  round_trip(full_memory());
  StsMemory memory = full_memory();
  memory.policy.reset();
  round_trip(memory);
  memory = full_memory();
  memory.policy = StoredPolicy{"", "", at(0), at(253402300799)};
  memory.none_since.reset();
  memory.asked = at(0);
  round_trip(memory);
  memory.policy->body = std::string("NUL \0 \x80\xff and \r\n\t'\"", 18);
  memory.txt_errors.text = std::string("\0", 1);
  round_trip(memory);
  memory.policy->body = std::string(kMaxPolicyBody, 'x');
  memory.fetch_errors = {};
  round_trip(memory);
}

TEST_CASE("what could not be read back is not put") {
  const Folder folder;
  Opened store(folder.path("s"));
  const auto refusal = [&](const std::function<void(StsMemory&)>& spoil) {
    StsMemory memory = full_memory();
    spoil(memory);
    const auto put = store.put(domain("example.net"), memory);
    return put ? std::string("put") : put.error();
  };
  CHECK(refusal([](auto& m) { m.asked = at(-1); }) == "store: example.net: asked is -1");
  CHECK(refusal([](auto& m) { m.policy->expires = at(253402300800); }) ==
        "store: example.net: policy_expires is 253402300800");
  CHECK(refusal([](auto& m) { m.policy->body.resize(kMaxPolicyBody + 1); }) ==
        "store: example.net: policy_body has 65537 octets");
  CHECK(refusal([](auto& m) { m.txt_errors.first = at(-5); }) ==
        "store: example.net: txt_error is -5");
  CHECK(refusal([](auto& m) { m.fetch_errors.text.resize(100000); }) ==
        "store: example.net: fetch_error has 100000 octets");
  CHECK(store.stats()->domains == 0);
}

TEST_CASE("an unknown domain is nothing, and an erased one becomes unknown") {
  const Folder folder;
  Opened store(folder.path("s"));
  const Domain name = domain("example.net");
  CHECK_FALSE(store.find(name)->has_value());
  CHECK(store.erase(name).has_value());
  CHECK(store.put(name, full_memory()).has_value());
  CHECK(store.find(name)->has_value());
  CHECK(store.erase(name).has_value());
  CHECK_FALSE(store.find(name)->has_value());
}

TEST_CASE("a walk goes over all domains in order of name") {
  const Folder folder;
  Opened store(folder.path("s"));
  for (const char* name : {"b.example", "a.example", "c.example", "a-b.example"}) {
    CHECK(store.put(domain(name), full_memory()).has_value());
  }
  const auto names = [&](const std::string& after, std::size_t limit) {
    std::string all;
    const Result<Rows> rows = store.walk(after, limit);
    for (const auto& [name, memory] : *rows) {
      CHECK(memory == full_memory());
      all += name.text() + " ";
    }
    return all;
  };
  CHECK(names("", 10) == "a-b.example a.example b.example c.example ");
  CHECK(names("", 2) == "a-b.example a.example ");
  CHECK(names("a.example", 2) == "b.example c.example ");
  CHECK(names("c.example", 2) == "");
  CHECK(names("", 0) == "");
}

TEST_CASE("statistics count domains and policies") {
  const Folder folder;
  Opened store(folder.path("s"));
  StsMemory bare = full_memory();
  bare.policy.reset();
  CHECK(store.put(domain("a.example"), full_memory()).has_value());
  CHECK(store.put(domain("b.example"), bare).has_value());
  CHECK(store.put(domain("b.example"), bare).has_value());
  const auto stats = store.stats();
  CHECK(stats->domains == 2);
  CHECK(stats->policies == 1);
}

TEST_CASE("the memory survives an orderly restart") {
  const Folder folder;
  const std::string path = folder.path("s");
  CHECK(Opened(path).put(domain("example.net"), full_memory()).has_value());
  CHECK(**Opened(path).find(domain("example.net")) == full_memory());
}

TEST_CASE("nobody else may read the files, and the log goes with the store's end") {
  const Folder folder;
  const std::string path = folder.path("s");
  const auto mode = [](const std::string& file) {
    struct stat status {};
    return ::stat(file.c_str(), &status) == 0 ? status.st_mode & 0777 : 0;
  };
  Opened store(path);
  CHECK(store.put(domain("example.net"), full_memory()).has_value());
  CHECK(mode(path) == 0600);
  CHECK(mode(path + "-wal") == 0600);
  CHECK(mode(path + "-shm") == 0600);
  store.store.reset();
  CHECK(mode(path + "-wal") == 0);
  CHECK(folder.names() == std::vector<std::string>{"s"});
}

TEST_CASE("a full disk fails the put and loses nothing that was put") {
  const Folder folder;
  Opened store(folder.path("s"));
  CHECK(store.put(domain("first.example"), full_memory()).has_value());
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const rlimit small{256 * 1024, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  StsMemory large = full_memory();
  large.policy->body = std::string(kMaxPolicyBody, 'x');
  std::string text;
  int kept = 0;
  for (int i = 0; i < 20 && text.empty(); ++i) {
    const auto put = store.put(domain(fmt::format("n{}.example", i)), large);
    put ? void(++kept) : void(text = put.error());
  }
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
  std::signal(SIGXFSZ, handler);
  CHECK(kept > 0);
  CHECK(kept < 20);
  CHECK((text.find("disk I/O error") != text.npos || text.find("full") != text.npos));
  CHECK(store.find(domain("first.example"))->has_value());
  CHECK(store.put(domain("last.example"), large).has_value());
  CHECK(store.stats()->domains == static_cast<std::uint64_t>(kept) + 2);
}

TEST_CASE("puts that wait together share transactions: 10,000 in seconds") {
  const Folder folder;
  Opened store(folder.path("s"));
  int done = 0;
  const auto begun = Steady::now();
  for (int i = 0; i < 10000; ++i) {
    boost::asio::co_spawn(store.io,
                          store.store->put(domain(fmt::format("n{}.example", i)), full_memory()),
                          [&](std::exception_ptr error, Result<void> put) {
                            if (!error && put) ++done;
                          });
  }
  store.io.run();
  const std::chrono::duration<double> took = Steady::now() - begun;
  CHECK(done == 10000);
  MESSAGE("10,000 puts at once: " << took.count() << " s");
  CHECK(took < std::chrono::seconds(30));
  store.io.restart();
  const auto one_by_one = Steady::now();
  for (int i = 0; i < 100; ++i) {
    CHECK(store.put(domain(fmt::format("n{}.example", i)), full_memory()).has_value());
  }
  const std::chrono::duration<double> each = (Steady::now() - one_by_one) / 100;
  MESSAGE("one put by itself: " << each.count() * 1000 << " ms");
  CHECK(store.stats()->domains == 10000);
}

/// Puts, reads back and erases again and again, and counts what went as it should.
Task<> exercise(SqliteStore* store, int number, int* good) {
  const Domain name = domain(fmt::format("n{}.example", number));
  for (int i = 0; i < 20; ++i) {
    StsMemory memory = full_memory();
    memory.txt_id = std::to_string(i);
    auto putting = store->put(name, memory);
    const auto put = co_await std::move(putting);
    auto finding = store->find(name);
    const auto found = co_await std::move(finding);
    auto erasing = store->erase(name);
    const auto erased = co_await std::move(erasing);
    if (put && found && *found && **found == memory && erased) ++*good;
  }
}

TEST_CASE("a hundred callers see their own writes in order") {
  const Folder folder;
  Opened store(folder.path("s"));
  int good = 0;
  for (int i = 0; i < 100; ++i) {
    boost::asio::co_spawn(store.io, exercise(store.store.get(), i, &good), boost::asio::detached);
  }
  store.io.run();
  CHECK(good == 2000);
}

TEST_CASE("ending the store completes what was asked for") {
  const Folder folder;
  const std::string path = folder.path("s");
  Opened store(path);
  int done = 0;
  for (int i = 0; i < 1000; ++i) {
    boost::asio::co_spawn(store.io,
                          store.store->put(domain(fmt::format("n{}.example", i)), full_memory()),
                          [&](std::exception_ptr error, Result<void> put) {
                            if (!error && put) ++done;
                          });
  }
  for (int i = 0; i < 500; ++i) store.io.run_one();  // so that half of them are under way
  auto late = store.store->stats();
  store.store.reset();
  store.io.run();
  CHECK(done >= 500);
  store.io.restart();
  CHECK(run(std::move(late), store.io).error() == "the store is closed");
  CHECK(Opened(path).stats()->domains == static_cast<std::uint64_t>(done));
}

}  // namespace
}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
// With a real socket at the other end.
#include "adapters/tlsrpt/collector.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <filesystem>

#include "adapters/tlsrpt/datagram.h"
#include "fakes.h"

using namespace sealane;

namespace {

/// A directory of its own, and in it the collector's end, if it is open.
class Place {
 public:
  Place() {
    std::string name = (std::filesystem::temp_directory_path() / "tlsrpt-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    folder_ = name;
  }
  ~Place() { std::filesystem::remove_all(folder_); }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

  std::string path() const { return folder_ + "/collector"; }
  void listen() {
    std::filesystem::remove(path());
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    const std::string where = path();
    std::copy(where.begin(), where.end(), name.sun_path);
    socket_ = Descriptor(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    REQUIRE(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0);
  }
  /// The next datagram, or empty.
  std::string next() {
    std::string text(70'000, '\0');
    const auto size = ::recv(socket_.get(), text.data(), text.size(), 0);
    text.resize(static_cast<std::size_t>(std::max<decltype(size)>(size, 0)));
    return text;
  }
  void stop() { socket_.reset(); }

 private:
  std::string folder_;
  Descriptor socket_;
};

TlsrptReport report() {
  return report_of_fetch(domain("a.test"), TlsrptFailure::fetch_error, "404");
}

std::unique_ptr<TlsrptCollector> collector_at(const std::string& path, const Clock& clock) {
  auto made = TlsrptCollector::create(path, clock);
  REQUIRE_MESSAGE(made.has_value(), made.error());
  return *std::move(made);
}

}  // namespace

TEST_CASE("a report arrives as one datagram") {
  Place place;
  FakeClock clock;
  place.listen();
  const auto collector = collector_at(place.path(), clock);
  CHECK(collector->send(report()).has_value());
  CHECK(place.next() == tlsrpt_datagram(report()));
  CHECK(place.next().empty());
}

TEST_CASE("the largest datagram arrives whole") {
  Place place;
  FakeClock clock;
  place.listen();
  TlsrptReport large = report();
  large.policy_strings = {std::string(kMaxTlsrptDatagram - 1000, 'x')};
  CHECK(collector_at(place.path(), clock)->send(large).has_value());
  CHECK(place.next() == tlsrpt_datagram(large));
}

TEST_CASE("without a collector a report is dropped, and one that comes back is found") {
  Place place;
  FakeClock clock;
  const auto collector = collector_at(place.path(), clock);
  CHECK_FALSE(collector->send(report()).has_value());
  place.listen();
  CHECK(collector->send(report()).has_value());
  place.stop();
  CHECK_FALSE(collector->send(report()).has_value());
  place.listen();
  CHECK(collector->send(report()).has_value());
  CHECK_FALSE(place.next().empty());
}

TEST_CASE("a collector that does not read blocks nobody") {
  Place place;
  FakeClock clock;
  place.listen();
  const auto collector = collector_at(place.path(), clock);
  int taken = 0;
  while (taken < 100'000 && collector->send(report()).has_value()) ++taken;
  CHECK(taken > 0);
  CHECK(taken < 100'000);
  place.next();
  CHECK(collector->send(report()).has_value());
}

TEST_CASE("a path that no unix socket can have is refused with its bound") {
  FakeClock clock;
  const std::string longest = "/" + std::string(sizeof(sockaddr_un::sun_path) - 2, 'x');
  CHECK(TlsrptCollector::create(longest, clock).has_value());
  const auto wrong = TlsrptCollector::create(longest + "x", clock);
  REQUIRE_FALSE(wrong.has_value());
  CHECK(wrong.error().find("107") != std::string::npos);
  CHECK_FALSE(TlsrptCollector::create("", clock).has_value());
}

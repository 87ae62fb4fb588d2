// SPDX-License-Identifier: Apache-2.0
// Asks a socketmap server as Postfix does: one request outstanding on each connection.
//
//   bench-load --to ADDRESS --keys FILE --expect PREFIX[,PREFIX]... [--map NAME]
//              [--connections N] [--seconds S | --once] [--rate N] [--pid PID] [--json]
//
// FILE holds a key a line.  --seconds: asks them in turn, over and over; --once: each key once, all
// connections taking the next one.  --rate: requests a second of all connections together, evenly
// spread; a latency then counts from when the request was due, so that a server that stalls cannot
// slow the questions down and look good.  --pid: the server, for its processor time and memory.
// SIGTERM ends the measurement early.  A reply that does not begin with one of the prefixes is a
// surprise: status 1.
#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <memory>
#include <queue>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "histogram.h"
#include "process.h"

namespace {

using bench::die;
using Clock = std::chrono::steady_clock;
using Nanoseconds = std::chrono::nanoseconds;
using Seconds = std::chrono::duration<double>;

/// Octets of the longest reply: a long list of MX patterns fits in.
constexpr std::size_t kRoom = 16 * 1024;
constexpr int kEvents = 256;
/// What is not measured at the beginning: connections are accepted, caches get warm.
constexpr Seconds kWarmUp{0.1};
/// After this much silence the rest counts as unanswered; the daemon's own limit is 30 s.
constexpr Seconds kPatience{45.0};

volatile std::sig_atomic_t told_to_end = 0;

struct Arguments {
  std::string to;
  std::string map = "postfix";
  std::vector<std::string> expected;
  std::vector<std::string> requests;
  std::size_t connections = 1;
  Seconds seconds{1.0};
  bool once = false;
  double rate = 0.0;  ///< 0: as fast as the answers come
  int pid = 0;        ///< 0: not told
  bool json = false;
};

struct Connection {
  int descriptor = -1;
  Clock::time_point asked;
  bool busy = false;
  std::size_t filled = 0;
  std::array<char, kRoom> room;
};

/// The payload of a complete netstring; empty while it is not.  No reply is empty.
std::string_view payload_of(std::string_view text) {
  std::size_t length = 0;
  std::size_t at = 0;
  for (; at < text.size() && text[at] != ':'; ++at) {
    if (text[at] < '0' || text[at] > '9') die("a reply is no netstring");
    length = length * 10 + static_cast<std::size_t>(text[at] - '0');
  }
  if (at + length + 2 > text.size()) return {};
  if (text[at + length + 1] != ',' || at + length + 2 != text.size()) {
    die("a reply is no netstring, or one too many");
  }
  return text.substr(at + 1, length);
}

class Load {
 public:
  explicit Load(const Arguments& arguments) : arguments_(arguments) {}
  int run();

 private:
  using Due = std::pair<Clock::time_point, std::size_t>;

  void connect();
  void start();
  void ask(std::size_t index, Clock::time_point due);
  void hear(std::size_t index);
  void judge(std::string_view reply);
  void ask_who_is_due(Clock::time_point now);
  int wait(Clock::time_point now);
  void begin_to_measure(Clock::time_point now);
  bool is_over(Clock::time_point now) const;
  void report(Clock::time_point end) const;

  const Arguments& arguments_;
  int poll_ = -1;
  std::array<epoll_event, kEvents> events_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;
  Clock::duration interval_{};  ///< between two requests of one connection
  std::size_t cursor_ = 0;
  std::size_t outstanding_ = 0;
  std::size_t surprises_ = 0;
  std::size_t temporary_ = 0;
  std::string surprise_;
  bool measuring_ = false;
  Clock::time_point started_;
  Clock::time_point measured_from_;
  Clock::time_point last_heard_;
  std::uint64_t cpu_before_ = 0;
  bench::Histogram latencies_;
};

void Load::connect() {
  poll_ = ::epoll_create1(EPOLL_CLOEXEC);
  for (std::size_t i = 0; i < arguments_.connections; ++i) {
    auto connection = std::make_unique<Connection>();
    connection->descriptor = bench::connect_to(arguments_.to);
    bench::make_nonblocking(connection->descriptor);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = i;
    if (::epoll_ctl(poll_, EPOLL_CTL_ADD, connection->descriptor, &event) != 0) {
      bench::die_of_errno("epoll_ctl");
    }
    connections_.push_back(std::move(connection));
  }
}

void Load::start() {
  started_ = last_heard_ = Clock::now();
  if (arguments_.once) begin_to_measure(started_);
  if (arguments_.rate > 0) {
    const auto count = static_cast<double>(connections_.size());
    interval_ = std::chrono::duration_cast<Clock::duration>(Seconds(count / arguments_.rate));
  }
  for (std::size_t i = 0; i < connections_.size(); ++i) {
    if (arguments_.rate > 0) {
      due_.emplace(started_ + interval_ * i / connections_.size(), i);
    } else {
      ask(i, Clock::now());
    }
  }
}

void Load::ask(std::size_t index, Clock::time_point due) {
  if (arguments_.once && cursor_ == arguments_.requests.size()) return;
  if (cursor_ == arguments_.requests.size()) cursor_ = 0;
  const std::string& request = arguments_.requests[cursor_++];
  Connection& connection = *connections_[index];
  connection.asked = due;
  connection.busy = true;
  ++outstanding_;
  const ssize_t sent = ::send(connection.descriptor, request.data(), request.size(), MSG_NOSIGNAL);
  if (sent != static_cast<ssize_t>(request.size())) bench::die_of_errno("send");
}

void Load::hear(std::size_t index) {
  Connection& connection = *connections_[index];
  const ssize_t got = ::recv(connection.descriptor, connection.room.data() + connection.filled,
                             kRoom - connection.filled, 0);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) die("the server hung up");
  connection.filled += static_cast<std::size_t>(got);
  const std::string_view reply = payload_of({connection.room.data(), connection.filled});
  if (reply.empty()) return;
  if (!connection.busy) die("a reply to no request");

  last_heard_ = Clock::now();
  judge(reply);
  connection.filled = 0;
  connection.busy = false;
  --outstanding_;
  if (measuring_) {
    const Nanoseconds took = last_heard_ - connection.asked;
    latencies_.add(static_cast<std::uint64_t>(took.count()));
  }
  if (arguments_.rate > 0) {
    due_.emplace(connection.asked + interval_, index);
  } else {
    ask(index, last_heard_);
  }
}

void Load::judge(std::string_view reply) {
  if (reply.starts_with("TEMP ")) ++temporary_;
  for (const std::string& prefix : arguments_.expected) {
    if (reply.starts_with(prefix)) return;
  }
  ++surprises_;
  if (surprise_.empty()) surprise_ = sealane::escape(reply, 200);
}

void Load::ask_who_is_due(Clock::time_point now) {
  while (!due_.empty() && due_.top().first <= now) {
    const Due due = due_.top();
    due_.pop();
    ask(due.second, due.first);
  }
}

/// Waits for replies, or until somebody is due; returns how many events there are.
int Load::wait(Clock::time_point now) {
  constexpr Nanoseconds kLookAround{50'000'000};  // is it over?
  Nanoseconds patience = kLookAround;
  if (!due_.empty()) {
    patience = std::clamp<Nanoseconds>(due_.top().first - now, Nanoseconds{0}, kLookAround);
  }
  const timespec timeout{0, static_cast<long>(patience.count())};
  const int ready = ::epoll_pwait2(poll_, events_.data(), kEvents, &timeout, nullptr);
  if (ready < 0 && errno != EINTR) bench::die_of_errno("epoll_pwait2");
  return std::max(ready, 0);
}

void Load::begin_to_measure(Clock::time_point now) {
  measuring_ = true;
  measured_from_ = now;
  if (arguments_.pid != 0) cpu_before_ = bench::cpu_nanoseconds(arguments_.pid);
}

bool Load::is_over(Clock::time_point now) const {
  if (told_to_end != 0 || now - last_heard_ > kPatience) return true;
  if (!arguments_.once) return now - started_ > kWarmUp + arguments_.seconds;
  return cursor_ == arguments_.requests.size() && outstanding_ == 0;
}

int Load::run() {
  connect();
  start();
  auto now = started_;
  while (!is_over(now)) {
    ask_who_is_due(now);
    const int ready = wait(now);
    for (int i = 0; i < ready; ++i) hear(events_[static_cast<std::size_t>(i)].data.u64);
    now = Clock::now();
    if (!measuring_ && now - started_ > kWarmUp) begin_to_measure(now);
  }
  report(now);
  const bool all_answered = !arguments_.once || outstanding_ == 0;
  return surprises_ == 0 && latencies_.count() > 0 && all_answered ? 0 : 1;
}

void Load::report(Clock::time_point end) const {
  const double seconds = Seconds(end - measured_from_).count();
  const auto answers = static_cast<double>(std::max<std::uint64_t>(latencies_.count(), 1));
  double cpu = 0;
  std::uint64_t memory = 0;
  if (arguments_.pid != 0) {
    const std::uint64_t used = bench::cpu_nanoseconds(arguments_.pid) - cpu_before_;
    cpu = static_cast<double>(used) / 1e3 / answers;
    memory = bench::memory_kib(arguments_.pid, "VmRSS");
  }
  const auto us = [this](double share) {
    return static_cast<double>(latencies_.percentile(share)) / 1e3;
  };
  const double most = static_cast<double>(latencies_.most()) / 1e3;
  if (arguments_.json) {
    fmt::print(
        "{{\"connections\": {}, \"answers\": {}, \"seconds\": {:.3f}, \"rate\": {:.0f}, "
        "\"cpu_us\": {:.3f}, \"rss_kib\": {}, \"p50_us\": {:.1f}, \"p90_us\": {:.1f}, "
        "\"p99_us\": {:.1f}, \"p999_us\": {:.1f}, \"max_us\": {:.1f}, \"surprises\": {}, "
        "\"temporary\": {}, \"unanswered\": {}}}\n",
        arguments_.connections, latencies_.count(), seconds, answers / seconds, cpu, memory,
        us(0.5), us(0.9), us(0.99), us(0.999), most, surprises_, temporary_,
        arguments_.once ? outstanding_ : 0);
  } else {
    fmt::print("{:>9} {:>9} {:>8} {:>8} {:>8} {:>8} {:>8} {:>9}\n", "answers/s", "cpu us", "p50 us",
               "p90 us", "p99 us", "p99.9 us", "most us", "RSS KiB");
    fmt::print("{:>9.0f} {:>9.2f} {:>8.0f} {:>8.0f} {:>8.0f} {:>8.0f} {:>8.0f} {:>9}\n",
               answers / seconds, cpu, us(0.5), us(0.9), us(0.99), us(0.999), most, memory);
  }
  if (surprises_ > 0) {
    fmt::print(stderr, "bench-load: {} surprises, the first: {}\n", surprises_, surprise_);
  }
}

// ---- the command line

std::vector<std::string> requests_from(const std::string& path, const std::string& map) {
  std::ifstream file(path);
  std::vector<std::string> requests;
  for (std::string key; std::getline(file, key);) {
    const std::string payload = map + " " + key;
    requests.push_back(fmt::format("{}:{},", payload.size(), payload));
  }
  if (requests.empty()) die(path + ": no keys");
  return requests;
}

std::uint64_t number(const std::string& name, const std::string& text) {
  const auto read = sealane::parse_decimal(text, 1'000'000'000);
  if (!read || *read == 0) die(name + ": not a number: " + text);
  return *read;
}

Arguments parse(const std::vector<std::string>& words) {
  Arguments arguments;
  std::string keys;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& name = words[i];
    if (name == "--once" || name == "--json") {
      (name == "--once" ? arguments.once : arguments.json) = true;
      continue;
    }
    if (++i == words.size()) die(name + " needs a value");
    const std::string& value = words[i];
    if (name == "--to")
      arguments.to = value;
    else if (name == "--keys")
      keys = value;
    else if (name == "--map")
      arguments.map = value;
    else if (name == "--expect")
      for (const auto prefix : sealane::split(value, ',')) arguments.expected.emplace_back(prefix);
    else if (name == "--connections")
      arguments.connections = number(name, value);
    else if (name == "--rate")
      arguments.rate = static_cast<double>(number(name, value));
    else if (name == "--pid")
      arguments.pid = static_cast<int>(number(name, value));
    else if (name == "--seconds")
      arguments.seconds = Seconds(std::stod(value));
    else
      die("unknown option " + name);
  }
  if (arguments.to.empty() || keys.empty() || arguments.expected.empty()) {
    die("--to, --keys and --expect are needed");
  }
  arguments.requests = requests_from(keys, arguments.map);
  return arguments;
}

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments = parse(std::vector<std::string>(argv + 1, argv + argc));
  std::signal(SIGTERM, [](int) { told_to_end = 1; });
  return Load(arguments).run();
}

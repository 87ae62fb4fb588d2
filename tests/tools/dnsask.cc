// SPDX-License-Identifier: Apache-2.0
// Asks through the DNS adapter and prints what it makes of the answers.
//
//   dnsask [--server ADDRESS[@PORT]]... [--trust-ad loopback|always|never] [--canary NAME]
//          [--parallel N] [--summary] [--self-test] (NAME TYPE | -)
//
// "-": questions come on standard input, "NAME TYPE" a line.  --summary prints counts, wall and
// processor time instead of the answers.  Without --server it is /etc/resolv.conf's loopback ones.
#include <fmt/format.h>
#include <sys/resource.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "adapters/dns/getdns_resolver.h"
#include "base/text.h"

using namespace sealane;

namespace {

namespace asio = boost::asio;

struct SystemClock : Clock {
  std::chrono::sys_seconds wall() const override {
    return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  }
  std::chrono::steady_clock::time_point steady() const override {
    return std::chrono::steady_clock::now();
  }
};

[[noreturn]] void die(const std::string& text) {
  std::cerr << "dnsask: " << text << "\n";
  std::exit(2);
}

struct Arguments {
  ResolverOptions options;
  std::size_t parallel = 1;
  bool summary = false;
  bool self_test = false;
  std::vector<DnsQuestion> questions;
};

RrType type_of(const std::string& text) {
  for (const RrType type :
       {RrType::a, RrType::aaaa, RrType::mx, RrType::txt, RrType::tlsa, RrType::cname}) {
    if (name_of(type) == text) return type;
  }
  die("unknown type " + text);
}

DnsQuestion question_of(const std::string& name, const std::string& type) {
  auto domain = Domain::parse(name);
  if (!domain) die(name + ": " + domain.error());
  return {*domain, type_of(type), domain->text()};
}

NameServer server_of(const std::string& text) {
  const auto parts = split(text, '@');
  boost::system::error_code error;
  const auto address = asio::ip::make_address(std::string(parts[0]), error);
  const auto port = parts.size() > 1 ? parse_decimal(parts[1], 65535) : kDnsPort;
  if (error || !port) die("not an address: " + text);
  return {address, static_cast<std::uint16_t>(*port)};
}

TrustAd trust_of(const std::string& text) {
  if (text == "loopback") return TrustAd::loopback;
  if (text == "always") return TrustAd::always;
  if (text == "never") return TrustAd::never;
  die("unknown --trust-ad " + text);
}

Arguments parse(const std::vector<std::string>& words) {
  Arguments arguments;
  std::vector<std::string> rest;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    const std::string next = i + 1 < words.size() ? words[i + 1] : "";
    if (word == "--server")
      arguments.options.upstreams.push_back(server_of(next)), ++i;
    else if (word == "--trust-ad")
      arguments.options.trust_ad = trust_of(next), ++i;
    else if (word == "--canary")
      arguments.options.bogus_canary = *Domain::parse(next), ++i;
    else if (word == "--parallel")
      arguments.parallel = parse_decimal(next, 1'000'000).value_or(1), ++i;
    else if (word == "--summary")
      arguments.summary = true;
    else if (word == "--self-test")
      arguments.self_test = true;
    else
      rest.push_back(word);
  }
  if (arguments.options.upstreams.empty()) {
    arguments.options.upstreams = loopback_name_servers("/etc/resolv.conf");
  }
  if (rest.size() == 2) arguments.questions.push_back(question_of(rest[0], rest[1]));
  if (rest.size() != 1 || rest[0] != "-") return arguments;
  for (std::string line; std::getline(std::cin, line);) {
    const auto fields = sealane::words(line);
    if (fields.size() != 2) continue;
    arguments.questions.push_back(question_of(std::string(fields[0]), std::string(fields[1])));
  }
  return arguments;
}

std::string_view status_text(DnsStatus status) {
  switch (status) {
    case DnsStatus::ok:
      return "ok";
    case DnsStatus::nodata:
      return "nodata";
    case DnsStatus::nxdomain:
      return "nxdomain";
    case DnsStatus::failed:
      return "failed";
  }
  return "?";
}

std::string describe(const DnsQuestion& question, const DnsReply& reply) {
  std::string line = fmt::format("{} {} {}", question.name.text(), name_of(question.type),
                                 status_text(reply.status));
  if (reply.failed()) {
    line += fmt::format("{} ttl={} {}", reply.own_fault ? " own-fault" : "", reply.ttl.count(),
                        reply.why);
    return line;
  }
  line += fmt::format(" {} ttl={}", reply.secure ? "secure" : "insecure", reply.ttl.count());
  for (const auto& alias : reply.aliases) line += " alias=" + escape(alias);
  for (const auto& address : reply.addresses) line += " " + address.to_string();
  for (const auto& mx : reply.mx) line += fmt::format(" {}:{}", mx.preference, escape(mx.target));
  for (const auto& text : reply.txt) line += fmt::format(" \"{}\"", escape(text, 60));
  for (const auto& tlsa : reply.tlsa) line += fmt::format(" [{}]", to_text(tlsa, 8));
  if (reply.cname) line += " cname=" + reply.cname->text();
  return line;
}

struct Run {
  Arguments arguments;
  std::size_t next = 0;
  std::size_t workers = 0;
  std::map<std::string, std::size_t> counts;
};

Task<> work(GetdnsResolver& resolver, Run& run) {
  while (run.next < run.arguments.questions.size()) {
    const DnsQuestion question = run.arguments.questions[run.next++];
    const DnsReply reply = co_await resolver.ask(question);
    if (!run.arguments.summary) fmt::print("{}\n", describe(question, reply));
    std::string kind(status_text(reply.status));
    kind += reply.failed() ? ":" + reply.why : reply.secure ? ":secure" : ":insecure";
    ++run.counts[kind];
  }
  if (--run.workers == 0) resolver.close();
}

Task<> start(GetdnsResolver& resolver, Run& run) {
  if (run.arguments.self_test) {
    const SelfTestReport report = co_await resolver.self_test();
    for (const UpstreamReport& upstream : report.upstreams) {
      fmt::print("{} {}\n", upstream.passed ? "passed" : "FAILED", upstream.text);
    }
  }
  run.workers = run.arguments.parallel;
  const auto executor = co_await asio::this_coro::executor;
  for (std::size_t i = 0; i < run.arguments.parallel; ++i) {
    asio::co_spawn(executor, work(resolver, run), asio::detached);
  }
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void print_summary(const Run& run, const ResolverStatus& status, double wall, double cpu) {
  const auto count = static_cast<double>(run.arguments.questions.size());
  fmt::print("{} questions in {:.2f} s: {:.0f}/s, {:.1f} us of processor time each\n", count, wall,
             count / wall, cpu / count * 1e6);
  for (const auto& [kind, n] : run.counts) fmt::print("  {:6} {}\n", n, kind);
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  fmt::print("  packets {}, unanswered {}, joined {}, cache {} entries {} KiB, peak RSS {} KiB\n",
             status.queries, status.unanswered, status.joined, status.cache_entries,
             status.cache_octets / 1024, usage.ru_maxrss);
}

}  // namespace

int main(int argc, char** argv) {
  Run run{parse(std::vector<std::string>(argv + 1, argv + argc)), 0, 0, {}};
  SystemClock clock;
  asio::io_context io(1);
  auto resolver = GetdnsResolver::create(io.get_executor(), clock, run.arguments.options);
  if (!resolver) die(resolver.error());
  const auto began = std::chrono::steady_clock::now();
  const double cpu_before = cpu_seconds();
  asio::co_spawn(io, start(**resolver, run), asio::detached);
  io.run();
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - began;
  if (run.arguments.summary) {
    print_summary(run, (*resolver)->status(), wall.count(), cpu_seconds() - cpu_before);
  }
  return 0;
}

// SPDX-License-Identifier: Apache-2.0
// The same DNS questions as a cold lookup asks, through getdns alone on one thread: no cache, no
// decision, no socketmap.  What a cold lookup costs beyond this is Sealane's own.
//
//   bench-baredns --server ADDRESS --kind dane|sts --domains FILE [--parallel N]
//
// Prints one line of JSON.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <getdns/getdns_extra.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "base/text.h"
#include "histogram.h"
#include "process.h"

namespace {

using bench::die;
using Clock = std::chrono::steady_clock;

struct Question {
  const char* prefix;  ///< in front of the domain
  std::uint16_t type;
};
/// What is asked at the same time, after all that was asked before is answered.
using Stage = std::vector<Question>;

const std::vector<Stage> kDane{
    {{"", GETDNS_RRTYPE_MX}},
    {{"mx.", GETDNS_RRTYPE_A}, {"mx.", GETDNS_RRTYPE_AAAA}, {"_mta-sts.", GETDNS_RRTYPE_TXT}},
    {{"_25._tcp.mx.", GETDNS_RRTYPE_TLSA}}};
const std::vector<Stage> kSts{
    {{"", GETDNS_RRTYPE_MX}},
    {{"mx.", GETDNS_RRTYPE_A}, {"mx.", GETDNS_RRTYPE_AAAA}, {"_mta-sts.", GETDNS_RRTYPE_TXT}},
    {{"mta-sts.", GETDNS_RRTYPE_A}, {"mta-sts.", GETDNS_RRTYPE_AAAA}}};

struct Run {
  const std::vector<Stage>* stages = nullptr;
  std::vector<std::string> domains;
  getdns_context* context = nullptr;
  getdns_dict* extensions = nullptr;
  std::size_t next = 0;
  std::size_t questions = 0;
  std::size_t failures = 0;
  bench::Histogram latencies;
};

struct Walk {
  Run* run;
  std::string domain;
  Clock::time_point began;
  std::size_t stage = 0;
  std::size_t outstanding = 0;
};

void begin(Walk& walk);
void ask(Walk& walk);

void on_reply(getdns_context*, getdns_callback_type_t type, getdns_dict* response, void* argument,
              getdns_transaction_t) {
  Walk& walk = *static_cast<Walk*>(argument);
  getdns_bindata* wire = nullptr;
  const bool answered =
      type == GETDNS_CALLBACK_COMPLETE &&
      getdns_dict_get_bindata(response, "/replies_full/0", &wire) == GETDNS_RETURN_GOOD;
  if (!answered) ++walk.run->failures;
  getdns_dict_destroy(response);
  if (--walk.outstanding > 0) return;
  if (++walk.stage < walk.run->stages->size()) return ask(walk);
  const std::chrono::nanoseconds took = Clock::now() - walk.began;
  walk.run->latencies.add(static_cast<std::uint64_t>(took.count()));
  begin(walk);
}

void ask(Walk& walk) {
  Run& run = *walk.run;
  const Stage& stage = (*run.stages)[walk.stage];
  walk.outstanding = stage.size();
  for (const Question& question : stage) {
    const std::string name = question.prefix + walk.domain + ".";
    ++run.questions;
    getdns_transaction_t transaction = 0;
    const getdns_return_t sent = getdns_general(run.context, name.c_str(), question.type,
                                                run.extensions, &walk, &transaction, on_reply);
    if (sent != GETDNS_RETURN_GOOD) die(getdns_get_errorstr_by_id(sent));
  }
}

void begin(Walk& walk) {
  if (walk.run->next == walk.run->domains.size()) return;
  walk.domain = walk.run->domains[walk.run->next++];
  walk.began = Clock::now();
  walk.stage = 0;
  ask(walk);
}

void must(getdns_return_t outcome) {
  if (outcome != GETDNS_RETURN_GOOD) die(getdns_get_errorstr_by_id(outcome));
}

void prepare(Run& run, const std::string& server) {
  in_addr address{};
  if (::inet_pton(AF_INET, server.c_str(), &address) != 1) die(server + ": no IPv4 address");
  getdns_bindata data{sizeof address, reinterpret_cast<std::uint8_t*>(&address)};
  getdns_dict* upstream = getdns_dict_create();
  getdns_list* upstreams = getdns_list_create();
  must(getdns_dict_util_set_string(upstream, "address_type", "IPv4"));
  must(getdns_dict_set_bindata(upstream, "address_data", &data));
  must(getdns_list_set_dict(upstreams, 0, upstream));
  must(getdns_context_create(&run.context, 0));
  must(getdns_context_set_resolution_type(run.context, GETDNS_RESOLUTION_STUB));
  must(getdns_context_set_upstream_recursive_servers(run.context, upstreams));
  run.extensions = getdns_dict_create();
  must(getdns_dict_set_int(run.extensions, "/header/ad", 1));
  getdns_dict_destroy(upstream);
  getdns_list_destroy(upstreams);
}

void report(const Run& run, double seconds, double cpu_us) {
  const auto count = static_cast<double>(run.domains.size());
  const auto us = [&](double share) {
    return static_cast<double>(run.latencies.percentile(share)) / 1e3;
  };
  fmt::print(
      "{{\"answers\": {}, \"seconds\": {:.3f}, \"rate\": {:.0f}, \"cpu_us\": {:.1f}, "
      "\"rss_kib\": {}, \"questions\": {}, \"p50_us\": {:.1f}, \"p90_us\": {:.1f}, "
      "\"p99_us\": {:.1f}, \"p999_us\": {:.1f}, \"max_us\": {:.1f}, \"surprises\": {}, "
      "\"unanswered\": 0}}\n",
      run.latencies.count(), seconds, count / seconds, cpu_us / count,
      bench::memory_kib(::getpid(), "VmRSS"), run.questions, us(0.5), us(0.9), us(0.99), us(0.999),
      static_cast<double>(run.latencies.most()) / 1e3, run.failures);
}

}  // namespace

int main(int argc, char** argv) {
  Run run;
  std::string server;
  std::size_t parallel = 1;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    const std::string value = argv[i + 1];
    if (name == "--server") {
      server = value;
    } else if (name == "--kind") {
      run.stages = value == "dane" ? &kDane : &kSts;
    } else if (name == "--domains") {
      std::ifstream file(value);
      for (std::string line; std::getline(file, line);) run.domains.push_back(line);
    } else if (name == "--parallel") {
      parallel = sealane::parse_decimal(value, 1024).value_or(1);
    } else {
      die("unknown option " + name);
    }
  }
  if (run.stages == nullptr || run.domains.empty()) die("--kind and --domains are needed");

  prepare(run, server);
  std::vector<Walk> walks(parallel, Walk{&run, {}, {}, 0, 0});
  const auto began = Clock::now();
  const std::uint64_t cpu_before = bench::cpu_nanoseconds(::getpid());
  for (Walk& walk : walks) begin(walk);
  getdns_context_run(run.context);
  const std::chrono::duration<double> took = Clock::now() - began;
  const std::uint64_t cpu = bench::cpu_nanoseconds(::getpid()) - cpu_before;
  report(run, took.count(), static_cast<double>(cpu) / 1e3);
  getdns_dict_destroy(run.extensions);
  getdns_context_destroy(run.context);
  return run.failures == 0 ? 0 : 1;
}

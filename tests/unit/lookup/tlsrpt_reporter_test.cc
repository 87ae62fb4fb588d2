// SPDX-License-Identifier: Apache-2.0
// What is reported of lookups, and how often.
#include "lookup/tlsrpt_reporter.h"

#include "fakes.h"
#include "lookup/network_health.h"
#include "lookup/policy_finder.h"
#include "policy/override_file.h"

using namespace sealane;
using namespace std::chrono_literals;

namespace {

struct Recorder : TlsrptSink {
  std::vector<TlsrptReport> told;
  bool takes = true;
  Result<void> send(const TlsrptReport& report) override {
    told.push_back(report);
    if (takes) return {};
    return failure("nobody listens");
  }
};

/// a.test without DANE, with an MTA-STS record and a TLSRPT record; its policy answers 404.
struct World {
  FakeResolver dns;
  FakeFetcher web;
  FakeStore store;
  FakeClock clock;
  Recorder sink;
  boost::asio::io_context io;
  DaneLookup dane{dns, Families::any, clock};
  TlsrptReporter tlsrpt{io.get_executor(), dns, sink};
  StsLookup sts{io.get_executor(), dns, web, store, clock, StsLimits{}, nullptr, &tlsrpt};
  OverrideBook overrides{clock};
  PolicyFinder finder{dane, sts, overrides, DecisionSettings{}, nullptr, &tlsrpt};

  World() {
    add("a.test");
    wants_reports("a.test");
  }
  void add(const std::string& name) {
    dns.replies[name + " MX"] = dns_mx(false, {{10, "mx." + name}});
    dns.replies["mx." + name + " A"] = dns_address(false, {"192.0.2.1"});
    dns.replies["mx." + name + " AAAA"] = dns_nodata(false);
    dns.replies["_mta-sts." + name + " TXT"] = dns_txt({"v=STSv1; id=1"});
  }
  void wants_reports(const std::string& name) {
    dns.replies["_smtp._tls." + name + " TXT"] = dns_txt({"v=TLSRPTv1; rua=mailto:r@" + name});
  }
  void publish(std::string_view mode, std::string_view mx = "mx.a.test") {
    const std::string body =
        fmt::format("version: STSv1\nmode: {}\nmx: {}\nmax_age: 604800\n", mode, mx);
    web.policies["a.test"] = FetchedBody{body, "192.0.2.1"};
  }
  void fail(FetchProblem problem, std::string text, std::vector<std::string> unreachable = {},
            const std::string& name = "a.test") {
    web.policies[name] =
        tl::unexpected<FetchFailure>(FetchFailure{problem, std::move(text), unreachable});
  }
  Decision ask(std::string key = "a.test", Dialect dialect = Dialect::postfix,
               AskedFor whom = AskedFor::mail) {
    Decision decision = run(finder.find(PolicyQuestion{std::move(key), dialect, {}, whom}), io);
    settle();
    return decision;
  }
  void settle() {
    if (io.stopped()) io.restart();
    while (io.poll() > 0) {
    }
    if (io.stopped()) io.restart();
  }
  /// The types of all reports since the last call.
  std::string types() {
    std::string all;
    for (const TlsrptReport& report : sink.told) {
      for (const TlsrptDetail& detail : report.details) {
        all += std::string(name_of(detail.failure)) + " ";
      }
    }
    sink.told.clear();
    return all;
  }
};

}  // namespace

TEST_CASE("a fetch that fails for mail is reported once, with the domain's record") {
  World world;
  CHECK(world.ask().action == Action::not_found);
  REQUIRE(world.sink.told.size() == 1);
  CHECK(world.sink.told[0].domain.text() == "a.test");
  CHECK(world.sink.told[0].record == "v=TLSRPTv1; rua=mailto:r@a.test");
  CHECK(world.sink.told[0].details[0].reason == "404");
  CHECK(world.types() == "sts-policy-fetch-error ");
  CHECK(world.tlsrpt.counters().sent == 1);
}

TEST_CASE("while the back-off runs nothing more is reported, and the next attempt is again") {
  World world;
  world.ask();
  world.types();
  for (int i = 0; i < 4; ++i) {
    world.clock.advance(60s);
    world.ask();
    world.sts.tick();
    world.settle();
  }
  CHECK(world.web.asked.size() == 1);
  CHECK(world.types() == "");
  world.clock.advance(120s);
  world.ask();
  CHECK(world.web.asked.size() == 2);
  CHECK(world.types() == "sts-policy-fetch-error ");
}

TEST_CASE("each kind of failure has its type") {
  World world;
  const auto type_of = [&](FetchProblem problem) {
    world.fail(problem, "x");
    world.clock.advance(3600s);
    world.ask();
    return world.types();
  };
  for (const FetchProblem problem :
       {FetchProblem::dns, FetchProblem::address, FetchProblem::connect, FetchProblem::status,
        FetchProblem::redirect, FetchProblem::media_type, FetchProblem::too_large,
        FetchProblem::protocol, FetchProblem::timeout}) {
    CHECK(type_of(problem) == "sts-policy-fetch-error ");
  }
  CHECK(type_of(FetchProblem::tls) == "sts-webpki-invalid ");
  CHECK(type_of(FetchProblem::own) == "");
  world.web.policies["a.test"] = FetchedBody{"mode: enforce\n", "192.0.2.1"};
  world.clock.advance(3600s);
  world.ask();
  CHECK(world.types() == "sts-policy-invalid ");
}

TEST_CASE("while nobody can be reached nothing is reported, from the first domain on") {
  World world;
  for (const char* name : {"b.test", "c.test", "d.test"}) {
    world.add(name);
    world.wants_reports(name);
    world.fail(FetchProblem::connect, "refused", {std::string("192.0.2.") + name[0]}, name);
    world.ask(name);
  }
  CHECK(world.types() == "");
  world.fail(FetchProblem::connect, "refused", {"192.0.2.99"});
  CHECK(world.ask().action == Action::temporary);
  CHECK(world.types() == "");
}

TEST_CASE("a host out of reach is reported for as long as another has been reached lately") {
  World world;
  world.add("b.test");
  world.fail(FetchProblem::connect, "refused", {"192.0.2.1"});
  CHECK(world.ask().action == Action::not_found);
  CHECK(world.types() == "");
  world.clock.advance(3600s);
  world.ask("b.test");  // 404
  world.clock.advance(kHealthWindow);
  CHECK(world.ask().action == Action::not_found);
  CHECK(world.types() == "sts-policy-fetch-error ");
  world.clock.advance(3600s);
  CHECK(world.ask().action == Action::not_found);
  CHECK(world.web.asked.size() == 4);
  CHECK(world.types() == "");
}

TEST_CASE("a fetch that we gave up for want of room is our own fault, and not reported") {
  World world;
  world.fail(FetchProblem::own, "given up");
  CHECK(world.ask().action == Action::temporary);
  CHECK(world.web.asked.size() == 1);
  CHECK(world.types() == "");
}

TEST_CASE("a fetch that fails while a policy is in force is not reported") {
  World world;
  world.publish("enforce");
  CHECK(world.ask().action == Action::sts);
  world.dns.replies["_mta-sts.a.test TXT"] = dns_txt({"v=STSv1; id=2"});
  world.fail(FetchProblem::status, "404");
  world.clock.advance(400s);
  CHECK(world.ask().action == Action::sts);
  CHECK(world.web.asked.size() == 2);
  CHECK(world.types() == "");
}

TEST_CASE("a TXT record that cannot be asked for, or is gone, is not reported") {
  World world;
  world.dns.replies["_mta-sts.a.test TXT"] = dns_failed("SERVFAIL");
  world.ask();
  world.dns.replies["_mta-sts.a.test TXT"] = dns_nodata(false);
  world.clock.advance(3600s);
  world.ask();
  CHECK(world.types() == "");
}

TEST_CASE("a fetch that no mail has asked for is not reported") {
  World world;
  world.ask("a.test", Dialect::postfix, AskedFor::people);
  CHECK(world.web.asked.size() == 1);
  run(world.finder.explain("a.test", true), world.io);
  run(world.sts.operations().look_now(domain("a.test")), world.io);
  world.clock.advance(3600s);
  run(world.sts.refresh(domain("a.test")), world.io);
  world.settle();
  CHECK(world.web.asked.size() >= 3);
  CHECK(world.types() == "");
}

TEST_CASE("mail that was answered from memory is not behind a later fetch") {
  World world;
  world.ask();
  world.types();
  world.clock.advance(60s);
  world.ask();
  world.clock.advance(3600s);
  run(world.sts.refresh(domain("a.test")), world.io);
  world.settle();
  CHECK(world.web.asked.size() == 2);
  CHECK(world.types() == "");
}

TEST_CASE("mail that joins a fetch which others began is mail all the same") {
  World world;
  world.web.hold = true;
  boost::asio::co_spawn(world.io, world.sts.refresh(domain("a.test")), [](auto, auto) {});
  world.settle();
  boost::asio::co_spawn(world.io, world.finder.find(PolicyQuestion{"a.test", Dialect::postfix, {}}),
                        [](auto, auto) {});
  world.settle();
  world.web.release();
  world.settle();
  CHECK(world.types() == "sts-policy-fetch-error ");
}

TEST_CASE("an override that switches MTA-STS off, or only observes, reports nothing") {
  for (const char* rule : {"a.test sts=off reason=\"x\"\n", "a.test observe reason=\"x\"\n"}) {
    World world;
    auto rules = parse_overrides(rule);
    REQUIRE(rules.has_value());
    world.overrides.replace(std::make_shared<Overrides>(*std::move(rules)));
    world.ask();
    CHECK(world.web.asked.size() == 1);
    CHECK(world.types() == "");
  }
}

TEST_CASE("a question before the mail is reported for a fetch that failed, and not for testing") {
  World world;
  CHECK(world.ask("a.test", Dialect::postfix, AskedFor::before_mail).action == Action::not_found);
  CHECK(world.types() == "sts-policy-fetch-error ");
  world.publish("testing", "other.a.test");
  world.clock.advance(3600s);
  world.ask("a.test", Dialect::postfix, AskedFor::before_mail);
  CHECK(world.web.asked.size() == 2);
  CHECK(world.types() == "");
  world.ask();
  CHECK(world.types() == "validation-failure ");
}

TEST_CASE("testing mode is reported with each decision, unless Postfix does it") {
  World world;
  world.publish("testing", "other.a.test");
  CHECK(world.ask().action == Action::not_found);
  CHECK(world.types() == "validation-failure ");
  world.ask();
  CHECK(world.types() == "validation-failure ");
  CHECK(world.ask("a.test", Dialect::postfix_tlsrpt).report_testing);
  CHECK(world.types() == "");
  world.ask("a.test", Dialect::postfix, AskedFor::people);
  CHECK(world.types() == "");
  run(world.finder.explain("a.test", true), world.io);
  world.settle();
  CHECK(world.types() == "");
}

TEST_CASE("without exactly one TLSRPT record nothing is reported, and the answer is the same") {
  World world;
  const auto reply_is = [&](DnsReply reply) {
    world.dns.replies["_smtp._tls.a.test TXT"] = std::move(reply);
    world.clock.advance(3600s);
    CHECK(world.ask().action == Action::not_found);
    return world.types();
  };
  CHECK(reply_is(dns_nodata(false)) == "");
  CHECK(reply_is(dns_failed("SERVFAIL")) == "");
  CHECK(reply_is(dns_failed("timeout", true)) == "");
  CHECK(reply_is(dns_txt({"v=TLSRPTv1; rua=a:1", "v=TLSRPTv1; rua=a:2"})) == "");
  CHECK(reply_is(dns_txt({"v=TLSRPTv1; \xff"})) == "");
  CHECK(world.tlsrpt.counters().unwanted == 5);
  CHECK(reply_is(dns_txt({"v=TLSRPTv1; rua=a:1", "v=spf1"})) == "sts-policy-fetch-error ");
}

TEST_CASE("no answer waits for the TLSRPT record, and reports that wait are bounded") {
  World world;
  world.dns.hold = {"_smtp._tls.a.test TXT"};
  CHECK(world.ask().action == Action::not_found);
  std::vector<std::string> waiting;
  for (std::size_t i = 0; i < kMaxReportsUnderWay + 10; ++i) {
    const std::string name = fmt::format("d{}.test", i);
    waiting.push_back("_smtp._tls." + name + " TXT");
    world.dns.hold.push_back(waiting.back());
    world.wants_reports(name);
    world.tlsrpt.fetch_failed(domain(name), TlsrptFailure::fetch_error, "404");
  }
  world.settle();
  CHECK(world.tlsrpt.counters().lost == 11);
  world.dns.release("_smtp._tls.a.test TXT");
  for (const std::string& question : waiting) world.dns.release(question);
  world.settle();
  CHECK(world.sink.told.size() == kMaxReportsUnderWay);
}

TEST_CASE("a domain has one report under way, and another as soon as that one has left") {
  World world;
  const auto fail = [&](const char* name) {
    world.tlsrpt.fetch_failed(domain(name), TlsrptFailure::fetch_error, "404");
    world.settle();
  };
  world.wants_reports("b.test");
  world.dns.hold = {"_smtp._tls.a.test TXT"};
  for (int i = 0; i < 5; ++i) fail("a.test");
  fail("b.test");
  CHECK(world.tlsrpt.counters().lost == 4);
  CHECK(world.types() == "sts-policy-fetch-error ");
  world.dns.release("_smtp._tls.a.test TXT");
  world.settle();
  CHECK(world.types() == "sts-policy-fetch-error ");
  fail("a.test");
  CHECK(world.types() == "sts-policy-fetch-error ");
  CHECK(world.tlsrpt.counters().lost == 4);
}

TEST_CASE("what the collector does not take is counted and not kept") {
  World world;
  world.sink.takes = false;
  world.ask();
  CHECK(world.tlsrpt.counters().failed == 1);
  CHECK(world.tlsrpt.counters().problem == "nobody listens");
  CHECK(world.tlsrpt.counters().sent == 0);
  CHECK(world.sink.told.size() == 1);
}

TEST_CASE("a domain whose TLSRPT name would be too long is not asked for") {
  World world;
  const std::string label(60, 'a');
  const std::string name = label + "." + label + "." + label + "." + label + ".abcd";
  world.tlsrpt.fetch_failed(domain(name), TlsrptFailure::fetch_error, "404");
  world.settle();
  CHECK(world.dns.asked.empty());
  CHECK(world.tlsrpt.counters().unwanted == 1);
}

TEST_CASE("once closed nothing is reported, what was under way included") {
  World world;
  world.dns.hold = {"_smtp._tls.a.test TXT"};
  world.ask();
  world.tlsrpt.close();
  world.dns.release("_smtp._tls.a.test TXT");
  world.tlsrpt.fetch_failed(domain("a.test"), TlsrptFailure::fetch_error, "404");
  world.settle();
  CHECK(world.sink.told.empty());
}

// SPDX-License-Identifier: Apache-2.0
// The fetcher against real servers: whom it believes, and what it says of the others.
#include <sys/resource.h>

#include <fstream>

#include "base/log.h"
#include "https_bench.h"

namespace sealane {
namespace {

TEST_CASE("a policy is fetched over IPv4 and IPv6") {
  Bench bench;
  const auto over_v4 = bench.fetch("good.test");
  CHECK(shown(over_v4) == "policy");
  CHECK(over_v4->address == "127.0.0.1");
  const auto over_v6 = bench.fetch("good.test", {"::1"});
  CHECK(shown(over_v6) == "policy");
  CHECK(over_v6->address == "::1");
}

TEST_CASE("the request is plain and says nothing of us but the name of the program") {
  Bench bench;
  const auto fetched = bench.fetch("echo.test");
  REQUIRE(fetched.has_value());
  CHECK(fetched->body == fmt::format("GET /.well-known/mta-sts.txt HTTP/1.1\r\n"
                                     "Host: mta-sts.echo.test:{}\r\n"
                                     "User-Agent: sealane/" SEALANE_VERSION "\r\n"
                                     "Accept: text/plain\r\n"
                                     "Accept-Encoding: identity\r\n"
                                     "Connection: close\r\n\r\n",
                                     hosts().port));
}

struct Row {
  const char* name;
  const char* outcome;
};

TEST_CASE("the certificate decides whether it is the policy host") {
  const Row rows[] = {
      {"wildcard.test", "policy"},
      {"x.deep.test", "tls: certificate is not for mta-sts.x.deep.test (names: *.deep.test)"},
      {"wrongname.test",
       "tls: certificate is not for mta-sts.wrongname.test (names: other.test, *.other.test)"},
      {"partial.test",
       "tls: certificate is not for mta-sts.partial.test (names: mta-*.partial.test)"},
      {"cnonly.test", "tls: certificate is not for mta-sts.cnonly.test (names: none)"},
      {"expired.test", "tls: certificate expired on 2020-01-31"},
      {"future.test", "tls: certificate is not valid before 2099-02-03"},
      {"selfsigned.test", "tls: self-signed certificate"},
      {"otherca.test", "tls: unknown CA /CN=Unknown CA"},
  };
  Bench bench;
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(shown(bench.fetch(row.name)) == row.outcome);
  }
}

TEST_CASE("the reply decides whether it is a policy") {
  const Row rows[] = {
      {"404.test", "status: 404"},
      {"301.test", "redirect: redirect to https://mta-sts.good.test/x (301)"},
      {"204.test", "status: 204"},
      {"html.test", "media-type: media type text/html"},
      {"notype.test", "media-type: no media type"},
      {"toolong.test", "too-large: body over 65536 octets"},
      {"toolongchunked.test", "too-large: body over 65536 octets"},
      {"toolongeof.test", "too-large: body over 65536 octets"},
      {"header.test", "too-large: headers over 16384 octets"},
      {"gzip.test", "protocol: content coding gzip"},
      {"early.test", "policy"},
      {"eof.test", "policy"},
      {"nothttp.test", "protocol: not HTTP: bad version"},
      {"short.test", "protocol: connection lost: stream truncated"},
      {"eofcut.test", "protocol: connection lost: stream truncated"},
      {"reset.test", "protocol: connection lost: Connection reset by peer"},
  };
  Bench bench;
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CHECK(shown(bench.fetch(row.name)) == row.outcome);
  }
  for (const char* name : {"largest.test", "chunked.test"}) {
    const auto fetched = bench.fetch(name);
    REQUIRE(fetched.has_value());
    CHECK(fetched->body == std::string(65536, 'x'));
  }
}

TEST_CASE("what does not come to a TLS handshake is named") {
  Bench bench;
  CHECK(shown(bench.fetch("a.test", {"127.0.0.2"})) == "tls: no TLS is spoken there");
  CHECK(shown(bench.fetch("a.test", {"127.0.0.4"})) ==
        "protocol: connection closed in the TLS handshake");
  CHECK(shown(bench.fetch("a.test", {"127.0.0.5"})) == "tls: TLS 1.2 or later is not offered");
  CHECK(shown(bench.fetch("a.test", {"127.0.0.8"})) ==
        "protocol: connection closed in the TLS handshake");
  const auto refused = bench.fetch("a.test", {"127.0.0.7"});
  CHECK(shown(refused) == "connect: connect: Connection refused");
  CHECK(refused.error().unreachable == Texts{"127.0.0.7"});
}

TEST_CASE("silence in every phase ends with the budget and is named") {
  const auto timed = [](const std::string& name, const std::string& address) {
    Bench bench(with_budget(300ms));
    const auto begun = Steady::now();
    const auto fetched = bench.fetch(name, {address});
    const auto took = Steady::now() - begun;
    CHECK(took >= 290ms);
    CHECK(took < 1500ms);
    return shown(fetched);
  };
  CHECK(timed("a.test", "127.0.0.6") == "connect: no answer within 0.3 s (connect)");
  CHECK(timed("a.test", "127.0.0.3") == "timeout: no answer within 0.3 s (TLS handshake)");
  CHECK(timed("silent.test", "127.0.0.1") == "timeout: no answer within 0.3 s (reply)");
  CHECK(timed("stall.test", "127.0.0.1") == "timeout: no answer within 0.3 s (reply)");
  CHECK(timed("drip.test", "127.0.0.1") == "timeout: no answer within 0.3 s (reply)");
}

TEST_CASE("a dead first address leaves time to the next") {
  HttpsOptions options = with_budget(3s);
  options.connect_budget = 200ms;
  Bench bench(options);
  for (const char* dead : {"127.0.0.7", "127.0.0.6", "127.0.0.2", "127.0.0.4"}) {
    CAPTURE(dead);
    const auto fetched = bench.fetch("good.test", {dead, "127.0.0.1"});
    CHECK(shown(fetched) == "policy");
    CHECK(fetched->address == "127.0.0.1");
  }
  const auto begun = Steady::now();
  CHECK(shown(bench.fetch("good.test", {"127.0.0.3", "127.0.0.1"})) == "policy");
  CHECK(Steady::now() - begun >= 1400ms);  // half of the budget, and not more
  CHECK(Steady::now() - begun < 2500ms);
}

TEST_CASE("a host that has answered is not asked at another address") {
  Bench bench;
  CHECK(shown(bench.fetch("404.test", {"127.0.0.1", "127.0.0.3"})) == "status: 404");
}

TEST_CASE("when no address will do each is named with its cause") {
  HttpsOptions options = with_budget(3s);
  options.connect_budget = 200ms;
  Bench bench(options);
  const auto fetched = bench.fetch("a.test", {"127.0.0.6", "127.0.0.2", "127.0.0.7"});
  CHECK(shown(fetched) ==
        "tls: 127.0.0.6: no answer within 0.2 s (connect); 127.0.0.2: no TLS is spoken there; "
        "127.0.0.7: connect: Connection refused");
  CHECK(fetched.error().unreachable == Texts{"127.0.0.6", "127.0.0.7"});
  // A connection that came about and was cut says more than one that did not.
  CHECK(shown(bench.fetch("a.test", {"127.0.0.7", "127.0.0.4"})) ==
        "protocol: 127.0.0.7: connect: Connection refused; "
        "127.0.0.4: connection closed in the TLS handshake");
}

TEST_CASE("a forbidden address is never connected to") {
  HttpsOptions options = usual_options();
  options.allow_addresses.clear();
  Bench bench(options);
  CHECK(shown(bench.fetch("good.test", {"127.0.0.1", "::1"})) ==
        "address: mta-sts.good.test has no address that is allowed: ::1 (loopback), "
        "127.0.0.1 (loopback)");
}

TEST_CASE("DNS failures are told apart from ours") {
  Bench bench;
  CHECK(shown(bench.fetch("a.test", {})) == "dns: mta-sts.a.test has no address");
  bench.resolver.replies["mta-sts.b.test A"] = dns_failed("SERVFAIL");
  bench.resolver.replies["mta-sts.b.test AAAA"] = dns_failed("SERVFAIL");
  CHECK(shown(run(bench.fetcher->fetch(domain("b.test")), bench.io)) ==
        "dns: A of mta-sts.b.test: SERVFAIL");
  bench.resolver.replies["mta-sts.b.test A"] = dns_failed("queue full", true);
  CHECK(shown(run(bench.fetcher->fetch(domain("b.test")), bench.io)) ==
        "own: A of mta-sts.b.test: queue full");
  // The family that we could not ask for may have had the address that works.
  bench.resolver.replies["mta-sts.b.test AAAA"] = dns_address(false, {"::1"});
  CHECK(shown(run(bench.fetcher->fetch(domain("b.test")), bench.io)) == "policy");
  bench.resolver.replies["mta-sts.b.test A"] = dns_address(false, {"127.0.0.7"});
  bench.resolver.replies["mta-sts.b.test AAAA"] = dns_failed("queue full", true);
  CHECK(shown(run(bench.fetcher->fetch(domain("b.test")), bench.io)) ==
        "own: connect: Connection refused");
  const std::string longest = std::string(60, 'a') + "." + std::string(60, 'b') + "." +
                              std::string(60, 'c') + "." + std::string(60, 'd') + ".test";
  CHECK(shown(bench.fetch(longest, {})).starts_with("dns: "));
}

TEST_CASE("no route to any address is our own fault, to some of them it is not") {
  Bench bench;
  const char* broadcast = "127.255.255.255";  // TCP to it is ENETUNREACH
  CHECK(shown(bench.fetch("a.test", {broadcast})) == "own: connect: Network is unreachable");
  CHECK(shown(bench.fetch("a.test", {broadcast, "127.0.0.7"})) ==
        "connect: 127.255.255.255: connect: Network is unreachable; "
        "127.0.0.7: connect: Connection refused");
  CHECK(shown(bench.fetch("good.test", {broadcast, "127.0.0.1"})) == "policy");
}

TEST_CASE("having no descriptor left is our own fault") {
  Bench bench;
  CHECK(shown(bench.fetch("good.test")) == "policy");
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  const rlimit none{0, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  const auto fetched = bench.fetch("good.test", {"127.0.0.1", "::1"});
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK(shown(fetched) == "own: connect: Too many open files");
  CHECK(shown(bench.fetch("good.test")) == "policy");
}

TEST_CASE("through a proxy the name is the proxy's to resolve") {
  const auto through = [](const std::string& proxy, const std::string& name) {
    HttpsOptions options = with_budget(500ms);
    options.allow_addresses.clear();
    options.proxy = fmt::format("{}:{}", proxy, hosts().port);
    Bench bench(options);
    bench.resolver.replies["proxy.test A"] = dns_address(false, {"127.0.0.10"});
    const auto fetched = run(bench.fetcher->fetch(domain(name)), bench.io);
    CHECK(bench.resolver.count("mta-sts." + name + " A") == 0);
    // The proxy's address is no address of the policy host.
    const bool reached_nobody = !fetched && fetched.error().problem == FetchProblem::connect;
    const Texts nobody{"mta-sts." + name + " by proxy"};
    if (!fetched) CHECK(fetched.error().unreachable == (reached_nobody ? nobody : Texts{}));
    return shown(fetched);
  };
  set_log_level(Severity::error);
  CHECK(through("127.0.0.10", "good.test") == "policy");
  CHECK(through("proxy.test", "good.test") == "policy");
  CHECK(through("127.0.0.10", "expired.test") == "tls: certificate expired on 2020-01-31");
  CHECK(through("127.0.0.10", "404.test") == "status: 404");
  CHECK(through("127.0.0.7", "good.test") == "own: proxy: connect: Connection refused");
  CHECK(through("127.0.0.11", "good.test") == "own: proxy answered 407");
  CHECK(through("127.0.0.12", "good.test") == "connect: proxy answered 503");
  CHECK(through("127.0.0.14", "good.test") == "connect: proxy answered 403");
  CHECK(through("127.0.0.15", "good.test") == "connect: proxy: End of file");
  CHECK(through("127.0.0.13", "good.test") == "connect: no answer within 0.5 s (proxy)");
  CHECK(through("nowhere.test", "good.test") == "own: proxy: nowhere.test does not exist");
  set_log_level(Severity::info);
}

TEST_CASE("a CA file without a certificate refuses the start and does not disturb a reload") {
  const std::string folder = hosts().ca.substr(0, hosts().ca.rfind('/'));
  const auto write = [](const std::string& path, std::string_view content) {
    std::ofstream(path) << content;
    return path;
  };
  const auto refusal = [](const std::string& path) {
    boost::asio::io_context io;
    FakeResolver resolver;
    HttpsOptions options;
    options.ca_file = path;
    const auto created = HttpsFetcher::create(io.get_executor(), resolver, options);
    return created ? std::string("created") : created.error();
  };
  const std::string pem = folder + "/mine.pem";
  CHECK(refusal(folder + "/missing") ==
        "CA file " + folder + "/missing: No such file or directory");
  CHECK(refusal(folder) == "CA file " + folder + ": not a regular file");
  CHECK(refusal(write(pem, "")) == "CA file " + pem + ": holds no certificate");
  CHECK(refusal(write(pem, "hello\n")) == "CA file " + pem + ": holds no certificate");
  CHECK(refusal(write(pem, "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"))
            .starts_with("CA file " + pem + ": damaged: "));
  CHECK(refusal(hosts().ca) == "created");

  std::ifstream ca(hosts().ca);
  write(pem, std::string(std::istreambuf_iterator<char>(ca), {}));
  HttpsOptions options = usual_options();
  options.ca_file = pem;
  Bench bench(options);
  write(pem, "");
  const auto reloaded = bench.fetcher->reload_ca();
  REQUIRE_FALSE(reloaded.has_value());
  CHECK(reloaded.error() == "CA file " + pem + ": holds no certificate");
  CHECK(shown(bench.fetch("good.test")) == "policy");
  // The leaf of another host as the only trusted certificate: now the test CA is unknown.
  std::ifstream other(folder + "/mta-sts.good.test.pem");
  write(pem, std::string(std::istreambuf_iterator<char>(other), {}));
  CHECK(bench.fetcher->reload_ca().has_value());
  CHECK(shown(bench.fetch("wildcard.test")) == "tls: unknown CA /CN=Test CA");
}

TEST_CASE("options that cannot be read refuse the start") {
  boost::asio::io_context io;
  FakeResolver resolver;
  HttpsOptions options = usual_options();
  options.proxy = "nonsense";
  CHECK(HttpsFetcher::create(io.get_executor(), resolver, options).error() ==
        "proxy \"nonsense\": expected host:port");
  options = usual_options();
  options.allow_addresses = {"10.0.0.0/99"};
  CHECK(HttpsFetcher::create(io.get_executor(), resolver, options).error() ==
        "\"10.0.0.0/99\": a prefix is 0 to 32");
}

}  // namespace
}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
// What `sealane explain` shows, word by word: explanations/NAME.txt.
#include "cli/explain_tree.h"

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "explain_world.h"

using namespace sealane;
using namespace std::chrono_literals;

namespace {

constexpr const char* kPolicy = "version: STSv1\nmode: enforce\nmx: mx.a.test\nmax_age: 604800\n";

std::string golden(const std::string& name) {
  const char* root = std::getenv("SEALANE_SOURCE_ROOT");
  REQUIRE_MESSAGE(root != nullptr, "run by meson, which sets SEALANE_SOURCE_ROOT");
  std::ifstream file(std::string(root) + "/tests/unit/cli/explanations/" + name + ".txt");
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::string tree(ExplainWorld& world, const std::string& key, bool live = false,
                 std::string_view dialect = "postfix") {
  return explanation_tree(world.explain(key, live), dialect, Paint(false));
}

void check(const std::string& name, const std::string& text) {
  const std::string expected = golden(name);
  CHECK_MESSAGE(text == expected, name << ", got:\n" << text);
  CHECK(is_harmless(text));
}

}  // namespace

TEST_CASE("a domain with DANE at every host, and an unusable record beside") {
  ExplainWorld world;
  world.mx("a.test", true, {{10, "mx.a.test"}});
  world.host("mx.a.test", {tlsa_311(), TlsaRecord{1, 1, 1, std::vector<std::uint8_t>(32, 1)}});
  check("dane", tree(world, "a.test"));
}

TEST_CASE("DANE at a part of the hosts, and a policy that is enforced") {
  ExplainWorld world;
  world.mx("a.test", true, {{10, "mx.a.test"}, {20, "backup.a.test"}, {30, "gone.a.test"}});
  world.host("mx.a.test", {tlsa_311()});
  world.host("backup.a.test");
  world.dns.replies["gone.a.test A"] = dns_failed("SERVFAIL");
  world.policy("a.test", kPolicy);
  check("partial", tree(world, "a.test"));
}

TEST_CASE("an insecure MX and a policy, known for two hours and read from the store") {
  ExplainWorld world;
  world.mx("a.test", false, {{10, "mx.a.test"}});
  world.host("mx.a.test", {}, false);
  world.policy("a.test", kPolicy);
  [[maybe_unused]] const std::string first = world.ask("a.test");
  world.clock.advance(2h);
  world.build();
  check("sts", tree(world, "a.test"));
}

TEST_CASE("a kept policy whose hosts are all dead, and whose policy host fails") {
  ExplainWorld world;
  world.mx("a.test", false, {{10, "mx.a.test"}});
  world.policy("a.test", kPolicy);
  [[maybe_unused]] const std::string first = world.ask("a.test");
  world.clock.advance(30h);
  world.web.policies["a.test"] = tl::unexpected<FetchFailure>({FetchProblem::status, "404", {}});
  world.dns.replies["_mta-sts.a.test TXT"] = dns_nodata(false);
  [[maybe_unused]] const std::string second = world.ask("a.test");
  world.clock.advance(60s);
  check("dead", tree(world, "a.test"));
}

TEST_CASE("an override, and an answer that is still kept from before it") {
  ExplainWorld world;
  world.mx("a.test", true, {{10, "mx.a.test"}});
  world.host("mx.a.test", {tlsa_311()});
  [[maybe_unused]] const std::string first = world.ask("a.test");
  world.override_by(
      "\n.a.test dane=only reason=x\na.test dane=off until=2027-01-01 reason=\"ticket 4711\"");
  check("override", tree(world, "a.test"));
}

TEST_CASE("a temporary answer") {
  ExplainWorld world;
  world.mx("a.test", true, {{10, "mx.a.test"}});
  world.host("mx.a.test");
  world.dns.replies["_25._tcp.mx.a.test TLSA"] = dns_failed("SERVFAIL");
  check("temporary", tree(world, "a.test"));
}

TEST_CASE("a first contact whose policy cannot be fetched") {
  ExplainWorld world;
  world.mx("a.test", true, {{10, "mx.a.test"}});
  world.host("mx.a.test");
  world.policy("a.test", kPolicy);
  world.web.policies["a.test"] =
      tl::unexpected<FetchFailure>({FetchProblem::tls, "certificate expired on 2026-01-31", {}});
  check("fetch", tree(world, "a.test"));
}

TEST_CASE("an alias, a host for DANE's key alone, and no destination") {
  ExplainWorld world;
  DnsReply alias = dns_address(true, {"192.0.2.7"});
  alias.aliases = {"real.b.test"};
  world.dns.replies["mx.a.test A"] = alias;
  world.dns.replies["mx.a.test AAAA"] = dns_nodata(true);
  world.dns.replies["_587._tcp.real.b.test TLSA"] = dns_tlsa(true, {tlsa_311()});
  check("host", tree(world, "[mx.a.test]:587") + tree(world, ".a.test"));
}

TEST_CASE("observing, and what would be said") {
  ExplainWorld world;
  world.settings.observe = true;
  world.build();
  world.mx("a.test", true, {{10, "mx.a.test"}});
  world.host("mx.a.test", {tlsa_311()});
  check("observe", tree(world, "a.test"));
}

TEST_CASE("a live look, and what is different") {
  ExplainWorld world;
  world.mx("a.test", true, {{10, "mx.a.test"}});
  world.host("mx.a.test", {tlsa_311()});
  world.policy("a.test", kPolicy);
  [[maybe_unused]] const std::string first = world.ask("a.test");
  world.clock.advance(1h);
  CHECK(tree(world, "a.test", true).ends_with("  live: looked up again, nothing is different\n"));
  world.dns.fresh_replies["_25._tcp.mx.a.test TLSA"] = dns_nodata(true);
  world.dns.fresh_replies["mx.a.test A"] = dns_address(true, {"192.0.2.2"});
  world.dns.fresh_replies["_mta-sts.a.test TXT"] = dns_txt({"v=STSv1; id=2"});
  world.web.policies["a.test"] =
      FetchedBody{"version: STSv1\nmode: none\nmax_age: 86400\n", "192.0.2.9"};
  check("live", tree(world, "a.test", true));
}

TEST_CASE("long lists are cut, and what is cut is counted") {
  ExplainWorld world;
  std::vector<MxRecord> records;
  for (int i = 10; i < 60; ++i) {
    records.push_back({10, fmt::format("mx{}.a.test", i)});
    world.host(records.back().target, std::vector<TlsaRecord>(15, tlsa_311()));
  }
  world.mx("a.test", true, records);
  std::vector<std::string> addresses;
  for (int i = 1; i < 200; ++i) addresses.push_back(fmt::format("192.0.2.{}", i));
  world.dns.replies["mx10.a.test A"] = dns_address(true, addresses);
  std::string body = "version: STSv1\nmode: enforce\nmax_age: 604800\n";
  for (int i = 0; i < 1000; ++i) body += fmt::format("mx: m{}.a.test\n", i);
  world.policy("a.test", body);
  const std::string text = tree(world, "a.test");
  CHECK(text.find("    ... and 30 more\n") != std::string::npos);
  CHECK(text.find("        ... and 5 more\n") != std::string::npos);
  CHECK(text.find("192.0.2.10, ... and 189 more; secure") != std::string::npos);
  CHECK(text.find("m9.a.test, ... and 990 more\n") != std::string::npos);
  CHECK(text.find("      ... and 973 more\n") != std::string::npos);
  CHECK(std::count(text.begin(), text.end(), '\n') < 500);
}

TEST_CASE("nothing that a domain publishes gets to the terminal") {
  const std::string evil =
      "\x1b]0;pwned\x07\x1b[2J\r\n\x9b"
      "31m\xe2\x80\xae\x7f\\";
  ExplainWorld world;
  world.mx("a.test", false, {{10, evil}, {10, "mx.a.test"}});
  DnsReply alias = dns_address(false, {"192.0.2.7"});
  alias.aliases = {evil};
  world.dns.replies["mx.a.test A"] = alias;
  world.dns.replies["mx.a.test AAAA"] = dns_failed(evil);
  world.dns.replies["mx.a.test CNAME"] = dns_failed(evil);
  world.policy(
      "a.test",
      "version: STSv1\nmode: enforce\nmx: mx.a.test\nmax_age: 604800\nx: \x1b[31m" + evil + "\n");
  world.dns.replies["_mta-sts.a.test TXT"].txt.push_back(evil + std::string(65'000, '\x1b'));
  for (const char* key : {"a.test", "\x1b[2J.test", "[mx.a.test]"}) {
    const std::string text = tree(world, key, true);
    CHECK(is_harmless(text));
    CHECK(text.size() < 100'000);
  }
  world.web.policies["a.test"] = tl::unexpected<FetchFailure>({FetchProblem::redirect, evil, {}});
  world.clock.advance(30h);
  CHECK(is_harmless(tree(world, "a.test", true)));
}

TEST_CASE("colours carry no meaning alone") {
  ExplainWorld world;
  world.mx("a.test", true, {{10, "mx.a.test"}});
  world.host("mx.a.test", {tlsa_311()});
  const auto explanation = world.explain("a.test");
  std::string coloured = explanation_tree(explanation, "postfix", Paint(true));
  CHECK(coloured.find("\x1b[32mDANE\x1b[0m") != std::string::npos);
  for (std::size_t at = coloured.find('\x1b'); at != std::string::npos;
       at = coloured.find('\x1b')) {
    coloured.erase(at, coloured.find('m', at) + 1 - at);
  }
  CHECK(coloured == explanation_tree(explanation, "postfix", Paint(false)));
}

TEST_CASE("an explanation of another form is shown as far as it goes") {
  const Paint paint(false);
  for (
      const char* text :
      {"{}", R"({"known":3,"live":[],"next_hop":"x"})", R"({"key":7,"known":{"answers":[1,{}]}})",
       R"({"known":{"dane":{"hosts":[1,{"tlsa":[2,{}],"in_policy":5}]},"sts":{"txt":1,"policy":{"x":1},
            "fetch":{"failures":{"x":1}}},"answers":[{"trail":[1,{}],"names":[4]}]},"live":{"a":1}})",
       R"({"key":"\u001b[2J\u202e","override":{"rule":"\u009b"},"known":{"answers":[{"names":["\u001b"],
            "reply":"\u001b\n","row":"\u001b","ttl":1e300,"notices":["\u001b"]}]}})"}) {
    const std::string shown =
        explanation_tree(boost::json::parse(text).as_object(), "postfix", paint);
    CHECK_FALSE(shown.empty());
    CHECK(is_harmless(shown));
  }
}

// SPDX-License-Identifier: Apache-2.0
// The JSON of an explanation: what the cache gives out, what is different, bounds and hostile text.
#include "server/explain_api.h"

#include "explain_world.h"
#include "server/explain_diff.h"
#include "server/http_routes.h"

using namespace sealane;
using namespace std::chrono_literals;
namespace json = boost::json;

namespace {

constexpr const char* kPolicy = "version: STSv1\nmode: enforce\nmx: mx.a.test\nmax_age: 604800\n";

struct House : ExplainWorld {
  House() {
    mx("a.test", true, {{10, "mx.a.test"}});
    host("mx.a.test", {tlsa_311()});
    policy("a.test", kPolicy);
  }
};

const json::object& answer_of(const json::object& look, std::string_view dialect) {
  for (const json::value& answer : look.at("answers").as_array()) {
    if (answer.at("dialect").as_string() == dialect) return answer.as_object();
  }
  FAIL("no answer for " << dialect);
  return look;
}

std::string text(const json::value& value) { return std::string(value.as_string()); }

}  // namespace

TEST_CASE("every dialect's reply is the one that the cache hands out") {
  House house;
  for (const char* key : {"a.test", "[mx.a.test]", "a.test:587", ".a.test", "nobody.test"}) {
    const json::object explained = house.explain(key, true);
    for (const Dialect dialect : kDialects) {
      CAPTURE(name_of(dialect));
      const std::string reply = house.ask(key, dialect);
      CHECK(text(answer_of(explained.at("known").as_object(), name_of(dialect)).at("reply")) ==
            reply);
      const json::object later = house.explain(key);
      CHECK(text(answer_of(later.at("known").as_object(), name_of(dialect)).at("reply")) == reply);
    }
  }
}

TEST_CASE("a kept answer is told as long as it is given out, beside the one that would follow") {
  House house;
  CHECK(house.ask("a.test") == "OK dane-only");
  house.dns.replies["_25._tcp.mx.a.test TLSA"] = dns_nodata(true);
  house.clock.advance(100s);
  const json::object explained = house.explain("a.test");
  const json::object& kept = answer_of(explained.at("known").as_object(), "postfix");
  CHECK(kept.at("kept").as_bool());
  CHECK(text(kept.at("reply")) == "OK dane-only");
  CHECK(kept.at("ttl").as_int64() == 200);
  CHECK(text(kept.at("decided")) == "OK secure match=mx.a.test servername=hostname");
  const json::object& fresh = answer_of(explained.at("known").as_object(), "sts");
  CHECK_FALSE(fresh.at("kept").as_bool());
  CHECK_FALSE(fresh.contains("decided"));
  house.clock.advance(201s);
  const json::object later = house.explain("a.test");
  CHECK_FALSE(answer_of(later.at("known").as_object(), "postfix").at("kept").as_bool());
}

TEST_CASE("explaining counts as no question and keeps no answer") {
  House house;
  [[maybe_unused]] const std::string told = house.json("a.test", true);
  CHECK(house.cache->entries() == 0);
  CHECK(house.cache->counters().hits == 0);
  CHECK(house.cache->counters().lookups == 0);
}

TEST_CASE("one dialect alone can be asked for") {
  House house;
  const json::object explained = house.explain("a.test", false, Dialect::requiretls);
  const json::array& answers = explained.at("known").at("answers").as_array();
  REQUIRE(answers.size() == 1);
  CHECK(text(answers.front().at("reply")) == "OK enforce");
  CHECK(dialect_called("QUERYwithTLSRPT") == Dialect::postfix_tlsrpt);
  CHECK(dialect_called("exim") == Dialect::exim);
  CHECK_FALSE(dialect_called("qmail").has_value());
}

TEST_CASE("the names of a dialect begin with its own") {
  House house;
  const json::object explained = house.explain("a.test");
  const json::array& answers = explained.at("known").at("answers").as_array();
  REQUIRE(answers.size() == 6);
  CHECK(json::serialize(answers[0].at("names")) == R"(["postfix","QUERY"])");
  CHECK(json::serialize(answers[1].at("names")) == R"(["postfix-tlsrpt","QUERYwithTLSRPT"])");
  CHECK(json::serialize(answers[4].at("names")) == R"(["sts"])");
  CHECK(json::serialize(answers[5].at("names")) == R"(["exim"])");
  CHECK(text(answers[5].at("reply")) == "level=dane");
}

TEST_CASE("a live look tells what is different, and nothing if nothing is") {
  House house;
  CHECK_FALSE(house.explain("a.test").contains("differences"));
  CHECK(house.explain("a.test").at("live").is_null());
  CHECK(house.explain("a.test", true).at("differences").as_array().empty());

  house.dns.fresh_replies["a.test MX"] = dns_mx(false, {{10, "mx.a.test"}, {20, "new.a.test"}});
  house.dns.fresh_replies["_mta-sts.a.test TXT"] = dns_failed("SERVFAIL");
  house.web.policies["a.test"] = tl::unexpected<FetchFailure>({FetchProblem::status, "404", {}});
  const json::object explained = house.explain("a.test", true);
  std::map<std::string, std::pair<std::string, std::string>> found;
  for (const json::value& item : explained.at("differences").as_array()) {
    found[text(item.at("what"))] = {text(item.at("known")), text(item.at("live"))};
  }
  using Pair = std::pair<std::string, std::string>;
  CHECK(found.at("MX") == Pair{"ok, secure", "ok, insecure"});
  CHECK(found.at("MX hosts") == Pair{"10 mx.a.test", "10 mx.a.test, 20 new.a.test"});
  CHECK(found.at("TXT record") == Pair{"id 20260921", "failed: SERVFAIL"});
  CHECK(found.at("fetch of the policy") == Pair{"no failure", "404"});
  CHECK(found.at("answer postfix") ==
        Pair{"OK dane-only", "OK secure match=mx.a.test servername=hostname"});
  CHECK_FALSE(found.contains("policy"));
}

TEST_CASE("the JSON of a hostile domain is bounded and printable") {
  const std::string evil =
      "\x1b]0;pwned\x07\x9b"
      "31m\xe2\x80\xae\xff\x7f\"\\";
  ExplainWorld world;
  std::vector<MxRecord> records;
  for (int i = 0; i < 50; ++i) {
    const std::string name = fmt::format("mx{}.a.test", i);
    records.push_back({static_cast<std::uint16_t>(i), name});
    const TlsaRecord large{3, 0, 0, std::vector<std::uint8_t>(600, 7)};
    world.host(name, std::vector<TlsaRecord>(100, large));
    DnsReply addresses = dns_address(true, {});
    for (int n = 0; n < 4000; ++n) {
      addresses.addresses.push_back(
          boost::asio::ip::make_address(fmt::format("2001:db8::{:x}", n)));
    }
    addresses.aliases.assign(16, std::string(1000, '\x1b'));
    addresses.aliases.back() = name;
    world.dns.replies[name + " AAAA"] = addresses;
  }
  world.mx("a.test", true, records);
  std::string body = "version: STSv1\nmode: enforce\nmx: *.a.test\nmax_age: 604800\n";
  while (body.size() < 65'000) body += "x: \xe2\x80\xae\xc2\x9b\n";
  world.policy("a.test", body);
  world.dns.replies["_mta-sts.a.test TXT"].txt.insert(
      world.dns.replies["_mta-sts.a.test TXT"].txt.end(), 60, evil + std::string(1000, '\x1b'));
  const std::string told = world.json("a.test", true);
  CHECK(is_harmless(told));
  CHECK(told.size() < 4 * 1024 * 1024);
  const json::object explained = json::parse(told).as_object();
  const json::object& known = explained.at("known").as_object();
  const json::object& host = known.at("dane").at("hosts").as_array().front().as_object();
  CHECK(host.at("addresses").as_array().size() == kMaxExplainedAddresses);
  CHECK(host.at("addresses_total").as_int64() == 4001);
  CHECK(host.at("tlsa").as_array().size() == kMaxExplainedTlsa);
  CHECK(host.at("tlsa_total").as_int64() == 100);
  CHECK(known.at("sts").at("txt").at("records").as_array().size() == kMaxExplainedTexts);
  CHECK(known.at("sts").at("txt").at("records_total").as_int64() == 61);
  CHECK(known.at("sts").at("policy").at("lines").as_array().size() == kMaxExplainedLines);
  // The reply itself is whole: JSON says the same as the octets that the MTA gets.
  CHECK(text(answer_of(known, "postfix-tlsrpt").at("reply")) ==
        world.ask("a.test", Dialect::postfix_tlsrpt));
}

TEST_CASE("keys that are no text are told escaped") {
  House house;
  const json::object explained = house.explain("\x1b[2J\xff");
  CHECK(text(explained.at("key")) == "\\x1b[2J\\xff");
  CHECK(explained.at("next_hop").is_null());
  CHECK_FALSE(text(explained.at("no_destination")).empty());
  CHECK(house.explain(std::string(3000, 'x')).at("next_hop").is_null());
}

TEST_CASE("the route takes any key, and refuses what it does not know") {
  House house;
  HttpRoutes routes;
  routes.add(explain_route(std::shared_ptr<ExplainApi>(std::move(house.api))));
  const auto get = [&](std::string_view target) {
    auto match = routes.find("GET", target);
    REQUIRE(match.has_value());
    HttpResponse response = run(match->route->handler(std::move(match->request)), house.io);
    house.settle();
    return response;
  };
  const HttpResponse all = get("/v1/explain/a.test");
  CHECK(all.status == 200);
  CHECK(json::parse(all.body).at("live").is_null());
  CHECK(json::parse(get("/v1/explain/a.test?live=0").body).at("live").is_null());
  const HttpResponse live = get("/v1/explain/A.Test?live=1&dialect=QUERYwithTLSRPT");
  CHECK(json::parse(live.body).at("live").is_object());
  CHECK(json::parse(live.body).at("known").at("answers").as_array().size() == 1);
  CHECK(json::parse(get("/v1/explain/%5Bmx.a.test%5D:25").body).at("next_hop").is_object());
  CHECK(json::parse(get("/v1/explain/%2F%3F%00").body).at("next_hop").is_null());
  CHECK(get("/v1/explain/a.test?dialect=qmail").status == 400);
  CHECK(get("/v1/explain/a.test?live=yes").status == 400);
  CHECK_FALSE(routes.find("GET", "/v1/explain/a.test?lief=1").has_value());
  CHECK_FALSE(routes.find("GET", "/v1/explain/").has_value());
  CHECK_FALSE(routes.find("POST", "/v1/explain/a.test").has_value());
}

TEST_CASE("the kept answer of a destination is found in every spelling of its key") {
  House house;
  [[maybe_unused]] const std::string first = house.ask("a.test");
  const NextHop next_hop = std::get<NextHop>(parse_next_hop("A.Test."));
  const AnswerPtr kept = house.cache->kept(Dialect::postfix, next_hop);
  REQUIRE(kept != nullptr);
  CHECK(kept->reply == "OK dane-only");
  CHECK(house.cache->kept(Dialect::requiretls, next_hop) == nullptr);
  house.clock.advance(301s);
  CHECK(house.cache->kept(Dialect::postfix, next_hop) == nullptr);
}

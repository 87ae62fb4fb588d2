// SPDX-License-Identifier: Apache-2.0
// The expected datagrams are those that libtlsrpt 0.5.1 sends for the same calls; the integration
// case 41-tlsrpt compares with the library itself.
#include "adapters/tlsrpt/datagram.h"

#include <doctest/doctest.h>

#include <boost/json.hpp>
#include <random>

#include "base/text.h"

using namespace sealane;

namespace {

TlsrptReport report(std::string record = "v=TLSRPTv1; rua=mailto:r@a.test") {
  return {*Domain::parse("a.test"), std::move(record), {}, {}, {}};
}

std::string mismatch() { return "mtasts-policy-mx-mismatch"; }

}  // namespace

TEST_CASE("a failed fetch is a failure of a policy without lines") {
  TlsrptReport told = report();
  told.details = {{TlsrptFailure::webpki_invalid, "", "certificate expired"}};
  CHECK(tlsrpt_datagram(told) ==
        R"({"dpv": "1","d": "a.test","pr": "v=TLSRPTv1; rua=mailto:r@a.test","policies":[)"
        R"({"policy-type":2,"policy-domain": "a.test","failure-details":[{"c":303,)"
        R"("f": "certificate expired"}],"t":1,"f":1}]})");
}

TEST_CASE("every octet that JSON wants escaped is escaped as the library does") {
  TlsrptReport told = report("v=TLSRPTv1; rua=\"\\\t");
  told.policy_strings = {"version: STSv1", "x: \xc3\xa9\x7f\x01\x1f/\n\r\b\f"};
  told.mx_patterns = {"mx.a.test", "*.b.test"};
  told.details = {{TlsrptFailure::validation_failure, "bad.test", mismatch()},
                  {TlsrptFailure::validation_failure, "worse.test", mismatch()}};
  CHECK(tlsrpt_datagram(told) ==
        R"({"dpv": "1","d": "a.test","pr": "v=TLSRPTv1; rua=\"\\\t","policies":[)"
        R"({"policy-type":2,"policy-domain": "a.test","policy-string":["version: STSv1",)"
        "\"x: \xc3\xa9"
        R"(\u007f\u0001\u001f/\n\r\b\f"],"mx-host":["mx.a.test","*.b.test"],"failure-details":[)"
        R"({"c":205,"n": "bad.test","f": "mtasts-policy-mx-mismatch"},)"
        R"({"c":205,"n": "worse.test","f": "mtasts-policy-mx-mismatch"}],"t":2,"f":1}]})");
}

TEST_CASE("each failure has the library's number") {
  const auto number_of = [](TlsrptFailure failure) {
    TlsrptReport told = report();
    told.details = {{failure, "", ""}};
    const auto json = boost::json::parse(tlsrpt_datagram(told));
    return json.at_pointer("/policies/0/failure-details/0/c").as_int64();
  };
  CHECK(number_of(TlsrptFailure::validation_failure) == 205);
  CHECK(number_of(TlsrptFailure::fetch_error) == 301);
  CHECK(number_of(TlsrptFailure::policy_invalid) == 302);
  CHECK(number_of(TlsrptFailure::webpki_invalid) == 303);
}

TEST_CASE("octets that are no UTF-8 become the replacement character, so that it stays JSON") {
  TlsrptReport told = report();
  told.policy_strings = {"a\xff\xc3(\xed\xa0\x80z", std::string("n\0l", 3)};
  const std::string text = tlsrpt_datagram(told);
  CHECK(find_bad_utf8(text) == std::string::npos);
  const auto json = boost::json::parse(text);
  const auto& strings = json.at_pointer("/policies/0/policy-string").as_array();
  const std::string bad = "\xEF\xBF\xBD";
  CHECK(strings[0].as_string() == "a" + bad + bad + "(" + bad + bad + bad + "z");
  CHECK(strings[1].as_string() == std::string_view("n\0l", 3));
}

TEST_CASE("any octets make valid JSON that says the same, within the bound") {
  std::mt19937 dice(8460);
  for (int round = 0; round < 500; ++round) {
    const auto random_text = [&] {
      std::string text(dice() % 60, ' ');
      for (char& c : text) c = static_cast<char>(dice() % 256);
      return text;
    };
    TlsrptReport told = report(random_text());
    told.policy_strings = {random_text(), random_text()};
    told.details = {{TlsrptFailure::validation_failure, random_text() + ".", random_text()}};
    const std::string text = tlsrpt_datagram(told);
    boost::system::error_code error;
    const auto json = boost::json::parse(text, error);
    REQUIRE_MESSAGE(!error, text);
    CHECK(json.at("d").as_string() == "a.test");
    CHECK(json.at_pointer("/policies/0/policy-string").as_array().size() == 2);
  }
}

TEST_CASE("what does not fit is left out: the policy's lines, then its MX patterns") {
  TlsrptReport told = report();
  told.policy_strings = {std::string(kMaxTlsrptDatagram, 'x')};
  told.mx_patterns = {"mx.a.test"};
  std::string text = tlsrpt_datagram(told);
  CHECK(text.find("policy-string") == std::string::npos);
  CHECK(text.find("\"mx-host\":[\"mx.a.test\"]") != std::string::npos);
  told.mx_patterns.assign(400, std::string(250, 'm'));
  text = tlsrpt_datagram(told);
  CHECK(text.find("mx-host") == std::string::npos);
  CHECK_NOTHROW(boost::json::parse(text));
}

TEST_CASE("the largest report without its policy fits into a datagram") {
  TlsrptReport told = report(std::string(kMaxTlsrptRecord, '"'));
  told.policy_strings = {std::string(kMaxTlsrptDatagram, '"')};
  // A name of 255 octets of which each is written as \DDD, and each backslash is escaped again.
  std::string host;
  while (host.size() < 4 * 255) host += "\\007";
  told.details.assign(kMaxReportedHosts,
                      {TlsrptFailure::validation_failure, host, std::string(800, '\\')});
  CHECK(tlsrpt_datagram(told).size() <= kMaxTlsrptDatagram);
}

// SPDX-License-Identifier: Apache-2.0
#include "policy/tlsrpt.h"

#include <doctest/doctest.h>

using namespace sealane;

namespace {

Domain name(std::string_view text) { return *Domain::parse(text); }

HostFinding host(const std::string& text, HostState state = HostState::none) {
  HostFinding found;
  found.name = text;
  if (auto parsed = Domain::parse(text)) found.domain = *parsed;
  found.state = state;
  return found;
}

/// a.test in testing mode, with two MX hosts; the policy allows mx.a.test.
struct Case {
  DecisionInput input{NextHop{name("a.test")}, {}, {}, {}, Dialect::postfix, {}, {}};

  Case() {
    input.dane.mx = MxStatus::ok;
    input.dane.hosts = {host("mx.a.test"), host("evil.test")};
    input.sts.value = StsClass::testing;
    input.sts.policy = *parse_sts_policy(
        "version: STSv1\r\nmode: testing\r\nmx: mx.a.test\r\nmx: *.b.test\r\nmax_age: 604800\r\n");
  }
  std::optional<TlsrptReport> report() const { return report_of_testing(input, decide(input)); }
};

}  // namespace

TEST_CASE("one TLSRPT record among others is the record, with blanks before its delimiter too") {
  const std::string record = "v=TLSRPTv1; rua=mailto:r@a.test";
  CHECK(read_tlsrpt_record({"v=spf1 -all", record}) == record);
  CHECK(read_tlsrpt_record({"v=TLSRPTv1 \t; rua=https://a.test/\t"}).has_value());
}

TEST_CASE("none, several, and what only looks like one, ask for no reports") {
  CHECK_FALSE(read_tlsrpt_record({}));
  CHECK_FALSE(read_tlsrpt_record({"v=TLSRPTv1"}));
  CHECK_FALSE(read_tlsrpt_record({"v=TLSRPTv10; rua=mailto:r@a.test"}));
  CHECK_FALSE(read_tlsrpt_record({" v=TLSRPTv1; rua=mailto:r@a.test"}));
  CHECK_FALSE(read_tlsrpt_record({"V=tlsrptv1; rua=mailto:r@a.test"}));
  CHECK_FALSE(read_tlsrpt_record({"v=TLSRPTv1; rua=a:1", "v=TLSRPTv1; rua=a:1"}));
}

TEST_CASE("a record that is too long, or holds other than printable ASCII, is not passed on") {
  const std::string start = "v=TLSRPTv1;";
  CHECK(read_tlsrpt_record({start + std::string(kMaxTlsrptRecord - start.size(), 'x')}));
  CHECK_FALSE(read_tlsrpt_record({start + std::string(kMaxTlsrptRecord - start.size() + 1, 'x')}));
  for (const std::string& foreign :
       {std::string("\n"), std::string("\x1b[2J"), std::string(1, '\0'), std::string("\xc3\xa9"),
        std::string("\xff"), std::string("\x7f")}) {
    CHECK_FALSE(read_tlsrpt_record({start + foreign}));
  }
}

TEST_CASE("a failed fetch is reported with its type, and a cause that is bounded and escaped") {
  const TlsrptReport report =
      report_of_fetch(name("a.test"), TlsrptFailure::policy_invalid, std::string(5000, '\xff'));
  REQUIRE(report.details.size() == 1);
  CHECK(name_of(report.details[0].failure) == "sts-policy-invalid");
  CHECK(report.details[0].reason.size() <= 4 * kMaxReportedReason + 3);
  CHECK(report.details[0].reason.starts_with("\\xff"));
}

TEST_CASE("in testing mode each MX host that the policy does not allow is reported") {
  Case a;
  const auto report = a.report();
  REQUIRE(report.has_value());
  CHECK(report->details == std::vector<TlsrptDetail>{{TlsrptFailure::validation_failure,
                                                      "evil.test", "mtasts-policy-mx-mismatch"}});
  CHECK(report->mx_patterns == std::vector<std::string>{"mx.a.test", "*.b.test"});
  CHECK(report->policy_strings == std::vector<std::string>{"version: STSv1", "mode: testing",
                                                           "mx: mx.a.test", "mx: *.b.test",
                                                           "max_age: 604800"});
  a.input.dane.hosts = {host("evil.test"), host("192.0.2.1")};
  CHECK(a.report()->details.size() == 2);
}

TEST_CASE("hosts without an address, and hosts beyond the bound, are not named") {
  Case a;
  a.input.dane.hosts[1].state = HostState::dead;
  CHECK_FALSE(a.report());
  a.input.dane.hosts.clear();
  for (int i = 0; i < 50; ++i) a.input.dane.hosts.push_back(host("mx" + std::to_string(i) + ".c"));
  CHECK(a.report()->details.size() == kMaxReportedHosts);
}

TEST_CASE("nothing is reported where every host is allowed, or the mode is another one") {
  Case a;
  a.input.dane.hosts.pop_back();
  CHECK_FALSE(a.report());
  Case b;
  b.input.sts.value = StsClass::enforce;
  b.input.sts.policy->mode = StsMode::enforce;
  CHECK_FALSE(b.report());
  b.input.sts.value = StsClass::mode_none;
  CHECK_FALSE(b.report());
}

TEST_CASE("a Postfix that is given the policy reports the session itself") {
  Case a;
  a.input.dialect = Dialect::postfix_tlsrpt;
  CHECK_FALSE(a.report());
  a.input.settings.default_level = DefaultLevel::encrypt;
  CHECK_FALSE(a.report());
  a.input.settings.default_level = DefaultLevel::dane;  // it is told nothing then
  CHECK(a.report());
}

TEST_CASE("with dane=off testing is reported where the level is all that the MTA is told") {
  Case a;
  a.input.override_.dane = DaneOverride::off;
  CHECK(decide(a.input).action == Action::may);
  CHECK(a.report());
  a.input.dialect = Dialect::postfix_tlsrpt;  // this one is told the policy
  CHECK_FALSE(a.report());
  a.input.dialect = Dialect::exim;
  CHECK(a.report());
  a.input.flags.tls_required_no = true;
  CHECK_FALSE(a.report());
}

TEST_CASE("every other dialect of mail is reported for, and the question beside it is not") {
  Case a;
  for (const Dialect dialect :
       {Dialect::postfix, Dialect::postfix_pins, Dialect::sendmail_sts, Dialect::exim}) {
    a.input.dialect = dialect;
    CHECK(a.report());
  }
  a.input.dialect = Dialect::requiretls;
  CHECK_FALSE(a.report());
}

TEST_CASE("where DANE, an override or observing decides, testing is not reported") {
  Case a;
  a.input.dane.mx_secure = true;
  for (HostFinding& one : a.input.dane.hosts) one.state = HostState::dane;
  CHECK_FALSE(a.report());
  Case b;
  b.input.override_.sts_off = true;
  CHECK_FALSE(b.report());
  Case c;
  c.input.settings.observe = true;
  CHECK_FALSE(c.report());
  Case d;
  d.input.dialect = Dialect::exim;
  d.input.flags.tls_required_no = true;
  CHECK_FALSE(d.report());
}

// SPDX-License-Identifier: Apache-2.0
// The checks by themselves: facts in, findings out.  That a real Postfix shows these facts is shown
// by tests/integration/28-doctor.
#include "cli/doctor/checks.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <functional>
#include <set>

using namespace sealane;
using namespace sealane::doctor;

namespace {

/// An installation in which nothing is wrong.
Facts good() {
  Facts facts;
  facts.config_file = "/etc/sealane/sealane.conf";
  facts.config = *make_config({}, {});
  facts.config.bogus_canary = *Domain::parse("bogus.test");
  facts.resolver.ours = {{"127.0.0.1", true, true, "127.0.0.1: validates DNSSEC"}};
  facts.resolver.system = facts.resolver.ours;
  facts.resolv_conf = "nameserver 127.0.0.1\noptions edns0 trust-ad\n";
  facts.daemon.answered = true;
  facts.clock.year = 2027;
  facts.ca = {"/etc/ssl/certs/ca-certificates.crt", "", 140, 2};
  PostfixFacts postfix;
  postfix.version = {3, 7, 11};
  postfix.values = {{"mail_version", "3.7.11"},
                    {"queue_directory", "/var/spool/postfix"},
                    {"mail_owner", "postfix"},
                    {"inet_protocols", "all"},
                    {"smtputf8_enable", "yes"},
                    {"smtp_dns_support_level", "dnssec"},
                    {"smtp_host_lookup", "dns"},
                    {"smtp_tls_security_level", "may"},
                    {"smtp_tls_dane_insecure_mx_policy", "dane"},
                    {"smtp_tls_mandatory_protocols", ">=TLSv1"}};
  postfix.ca_file = facts.ca;
  postfix.services = {{"smtp/unix", true, {}}, {"relay/unix", true, {}}};
  postfix.chroot_resolv_conf = "nameserver 127.0.0.1\n";
  postfix.tables = {{"socketmap:inet:127.0.0.1:8461:postfix", "socketmap", "inet:127.0.0.1:8461",
                     "postfix", false, true}};
  postfix.ways = {{"smtp/unix", "inet:127.0.0.1:8461", "", true, false, Contact::answered, ""}};
  facts.postfix = postfix;
  EximFacts exim;
  exim.main = {{"dns_dnssec_ok", "1"}, {"dns_trust_aa", ""}};
  exim.routers = {{"dnslookup", {{"dnssec_request_domains", "*"}}}};
  exim.transports = {{"remote_smtp", {{"hosts_try_dane", "*"}}}};
  facts.exim = exim;
  return facts;
}

std::string ids(const Facts& facts) {
  std::vector<std::string_view> found;
  for (const Finding& finding : examine(facts)) found.push_back(finding.id);
  return fmt::format("{}", fmt::join(found, " "));
}

std::string ids_after(const std::function<void(Facts&)>& change) {
  Facts facts = good();
  change(facts);
  return ids(facts);
}

std::string set_after(std::string name, std::string value) {
  return ids_after([&](Facts& facts) { facts.postfix->values[name] = value; });
}

Finding only(const Facts& facts) {
  const auto findings = examine(facts);
  REQUIRE(findings.size() == 1);
  return findings.front();
}

}  // namespace

TEST_CASE("nothing is found where nothing is wrong") { CHECK(ids(good()).empty()); }

TEST_CASE("a machine without an MTA is no finding") {
  CHECK(ids_after([](Facts& facts) {
          facts.postfix.reset();
          facts.exim.reset();
        }).empty());
}

TEST_CASE("ids are unique, and grades have names") {
  std::set<std::string_view> seen;
  for (const Check& check : all_checks()) {
    CHECK_MESSAGE(seen.insert(check.id).second, check.id);
    CHECK(name_of(check.grade) != "?");
  }
  CHECK(seen.size() > 50);
}

TEST_CASE("errors come before warnings, and those before notes") {
  const auto findings = examine([] {
    Facts facts = good();
    facts.clock.synchronised = false;
    facts.config.decision.observe = true;
    facts.postfix->values["smtp_dns_support_level"] = "";
    return facts;
  }());
  REQUIRE(findings.size() == 3);
  CHECK(findings[0].id == "postfix-no-dnssec");
  CHECK(findings[1].id == "policy-observe");
  CHECK(findings[2].id == "clock-free");
}

TEST_CASE("the level of main.cf is compared also where older parameters say it") {
  CHECK(set_after("smtp_tls_security_level", "encrypt") == "postfix-level");
  CHECK(set_after("smtp_tls_security_level", "") == "postfix-no-tls");
  CHECK(ids_after([](Facts& facts) {
          facts.postfix->values["smtp_tls_security_level"] = "";
          facts.postfix->values["smtp_use_tls"] = "yes";
        }).empty());
  CHECK(ids_after([](Facts& facts) {
          facts.postfix->values["smtp_tls_security_level"] = "";
          facts.postfix->values["smtp_enforce_tls"] = "yes";
        }) == "postfix-level");
}

TEST_CASE("protocols are read as Postfix reads them") {
  const auto protocols = [](std::string value) {
    return set_after("smtp_tls_mandatory_protocols", std::move(value));
  };
  for (const char* fine :
       {">=TLSv1.2", ">=TLSv1", "!SSLv2, !SSLv3", "TLSv1.2:TLSv1.3", "tlsv1.1 tlsv1.2",
        ">=TLSv1, <=TLSv1.3", "!SSLv2:!SSLv3:!TLSv1", ">=0303", ">=TLSv1 <=TLSv9"}) {
    CHECK_MESSAGE(protocols(fine).empty(), fine);
  }
  for (const char* old : {"", "!SSLv2", ">=SSLv3", "<=TLSv1.2", "SSLv3 TLSv1.2"}) {
    CHECK_MESSAGE(protocols(old) == "postfix-old-tls", old);
  }
  for (const char* narrow : {">=TLSv1.3", "TLSv1.3", "!SSLv3 !TLSv1.2", "TLSv1"}) {
    CHECK_MESSAGE(protocols(narrow) == "postfix-narrow-tls", narrow);
  }
}

TEST_CASE("what belongs to DANE is not demanded of a Postfix that gets digests") {
  Facts facts = good();
  facts.postfix->tables.front().map_name = "postfix-pins";
  facts.postfix->values["smtp_tls_fingerprint_digest"] = "sha256";
  facts.postfix->values["smtp_dns_support_level"] = "";
  CHECK(ids(facts).empty());
  facts.postfix->values["smtp_tls_fingerprint_digest"] = "md5";
  CHECK(ids(facts) == "postfix-fingerprint-digest");
}

TEST_CASE("the families of Postfix and ours must agree, but for those without a route") {
  CHECK(set_after("inet_protocols", "ipv4") == "postfix-families");
  CHECK(set_after("inet_protocols", "ipv6, ipv4").empty());
  CHECK(ids_after([](Facts& facts) { facts.families = Families::ipv4; }).empty());
  CHECK(ids_after([](Facts& facts) {
          facts.families = Families::ipv4;
          facts.config.families = Families::ipv4;
        }) == "postfix-families");
}

TEST_CASE("a command changes the option where it stands, or adds it") {
  Facts facts = good();
  facts.postfix->values["smtp_tls_security_level"] = "encrypt";
  CHECK(only(facts).verdict.commands.front() ==
        "printf '\\n[policy]\\ndefault-level = encrypt\\n' >> /etc/sealane/sealane.conf");
  facts.settings = {{"policy.default-level", "may", "sealane.conf:3"}};
  CHECK(only(facts).verdict.commands.front() ==
        "sed -i 's|^\\([ \\t]*\\(policy[.]\\)*default-level[ \\t]*=\\).*|\\1 encrypt|' "
        "/etc/sealane/sealane.conf");
}

TEST_CASE("commands are for the directory that was looked at, and for a shell") {
  Facts facts = good();
  facts.postfix->config_dir = "/etc/postfix $(reboot)";
  facts.postfix->values["smtp_dns_support_level"] = "";
  CHECK(only(facts).verdict.commands.front() ==
        "postconf -c '/etc/postfix $(reboot)' -e 'smtp_dns_support_level = dnssec'");
  CHECK(shell_word("it's") == "'it'\\''s'");
  CHECK(shell_word("") == "''");
  CHECK(shell_word("a;b") == "'a;b'");
}

TEST_CASE("the table that is proposed is one that Postfix reaches") {
  Facts facts = good();
  facts.postfix->tables.clear();
  facts.postfix->ways.clear();
  const auto proposed = [&facts](std::string_view address) {
    facts.config.socketmap = {*parse_listen_address(address)};
    const Verdict verdict = only(facts).verdict;
    return verdict.commands.empty() ? "" : verdict.commands.front();
  };
  const std::string begin = "postconf -e 'smtp_tls_policy_maps = socketmap:";
  CHECK(proposed("inet:127.0.0.1:8461") == begin + "inet:127.0.0.1:8461:postfix'");
  CHECK(proposed("inet:[::1]:8461") == begin + "inet:[::1]:8461:postfix'");
  CHECK(proposed("inet:0.0.0.0:8461") == begin + "inet:127.0.0.1:8461:postfix'");
  CHECK(proposed("unix:/var/spool/postfix/sealane/policy") ==
        begin + "unix:sealane/policy:postfix'");
  CHECK(proposed("unix:/run/sealane/policy").empty());  // out of the chroot's reach
  for (Service& service : facts.postfix->services) service.chroot = false;
  CHECK(proposed("unix:/run/sealane/policy") == begin + "unix:/run/sealane/policy:postfix'");
  facts.postfix->version = {3, 10, 5};
  CHECK(proposed("inet:127.0.0.1:8461") == begin + "inet:127.0.0.1:8461:postfix-tlsrpt'");
}

TEST_CASE("a socket that does not answer is the daemon's fault, or the address is wrong") {
  const auto lost = [](bool is_listener, bool daemon_answers) {
    return ids_after([&](Facts& facts) {
      facts.postfix->ways.front().contact = Contact::absent;
      facts.postfix->ways.front().is_listener = is_listener;
      facts.daemon.answered = daemon_answers;
    });
  };
  CHECK(lost(true, true) == "postfix-map-silent");
  CHECK(lost(true, false) == "daemon-down");
  CHECK(lost(false, true) == "postfix-map-address");
  CHECK(lost(false, false) == "postfix-map-address daemon-down");
}

TEST_CASE("an address that answers is right, whatever the configuration says") {
  CHECK(ids_after([](Facts& facts) { facts.postfix->ways.front().is_listener = false; }).empty());
}

TEST_CASE("services of master.cf may repeat what main.cf says") {
  CHECK(ids_after([](Facts& facts) {
          facts.postfix->services.front().overrides = {{"smtp_tls_security_level", "may"},
                                                       {"smtp_helo_timeout", "1"}};
        }).empty());
  CHECK(ids_after([](Facts& facts) {
          facts.postfix->services.front().overrides = {{"smtp_tls_security_level", "none"}};
        }) == "postfix-service-override");
}

TEST_CASE("two resolvers that are the same are told about once") {
  Facts facts = good();
  facts.resolver.ours.front() = {"127.0.0.1", true, false, "127.0.0.1: it does not answer"};
  facts.resolver.system = facts.resolver.ours;
  CHECK(ids(facts) == "resolver-self-test");
  facts.resolver.ours = good().resolver.ours;
  facts.resolver.system.push_back({"192.0.2.1", false, true, ""});
  facts.resolver.system.front().server = "127.0.0.2";
  CHECK(ids(facts) == "resolver-other resolver-remote");
}

TEST_CASE("the chroot's resolv.conf must name the same resolvers; a missing one names 127.0.0.1") {
  CHECK(ids_after([](Facts& facts) { facts.postfix->chroot_resolv_conf.reset(); }).empty());
  CHECK(ids_after([](Facts& facts) {
          facts.postfix->chroot_resolv_conf = "nameserver 192.0.2.1\n";
        }) == "postfix-chroot-resolv-conf");
  CHECK(ids_after([](Facts& facts) {
          facts.resolv_conf = "nameserver 127.0.0.53\noptions trust-ad\n";
          facts.postfix->chroot_resolv_conf.reset();
        }) == "postfix-chroot-resolv-conf");
  CHECK(ids_after([](Facts& facts) {
          facts.postfix->chroot_resolv_conf = "nameserver 192.0.2.1\n";
          for (Service& service : facts.postfix->services) service.chroot = false;
        }).empty());
}

TEST_CASE("a clock that the kernel calls free is a note, an impossible one an error") {
  CHECK(ids_after([](Facts& facts) { facts.clock.synchronised = false; }) == "clock-free");
  CHECK(ids_after([](Facts& facts) { facts.clock.year = 1970; }) == "clock-wrong");
  CHECK(ids_after([](Facts& facts) { facts.clock.year = 2400; }) == "clock-wrong");
}

TEST_CASE("some expired CA certificates are nothing special, all are") {
  CHECK(ids_after([](Facts& facts) { facts.ca.expired = 139; }).empty());
  CHECK(ids_after([](Facts& facts) { facts.ca.expired = 140; }) == "ca-unusable");
}

TEST_CASE("what foreign files say is escaped") {
  Facts facts = good();
  facts.config_problem = "x\x1b[31m\xe2\x80\xae";
  const std::string text = only(facts).verdict.text;
  CHECK(text.find('\x1b') == std::string::npos);
  CHECK(text.find("\\x1b[31m\\xe2\\x80\\xae") != std::string::npos);
}

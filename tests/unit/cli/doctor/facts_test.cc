// SPDX-License-Identifier: Apache-2.0
// Reading what programs and files say; running the programs.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "cli/doctor/child.h"
#include "cli/doctor/exim_facts.h"
#include "cli/doctor/host_facts.h"
#include "cli/doctor/postfix_facts.h"
#include "cli/doctor/report.h"
#include "cli/doctor/socket_ways.h"
#include "server/temp_dir.h"

using namespace sealane;
using namespace sealane::doctor;

TEST_CASE("versions are read, also those of snapshots") {
  CHECK(parse_version("3.7.11") == Version{3, 7, 11});
  CHECK(parse_version("3.12-20260821") == Version{3, 12, 0});
  CHECK(parse_version("3.10") < parse_version("3.10.5"));
  CHECK(parse_version("3.9.9") < parse_version("3.10.0"));
  CHECK(parse_version("") == Version{});
  CHECK(parse_version("junk") == Version{});
  CHECK(parse_version("99999999999999999999.1") == Version{});
}

TEST_CASE("parameters are read as postconf prints them") {
  const Parameters read =
      parse_parameters("a = b = c\nempty =\nno parameter\nrelay/unix/x = y z\n");
  CHECK(read.size() == 3);
  CHECK(read.at("a") == "b = c");
  CHECK(read.at("empty").empty());
  CHECK(read.at("relay/unix/x") == "y z");
}

TEST_CASE("the delivery agents of master.cf are found, with their own options") {
  const auto services = parse_services(
      "smtp       inet  n       -       y       -       -       smtpd\n"
      "smtp       unix  -       -       y       -       -       smtp\n"
      "relay      unix  -       -       -       -       -       smtp -o a=b\n"
      "lmtp       unix  -       -       n       -       -       lmtp\n"
      "short line\n",
      {{"relay/unix/a", "b"}, {"relay/unix/c", ""}, {"smtp/inet/d", "e"}}, true);
  REQUIRE(services.size() == 3);
  CHECK(services[0].name == "smtp/unix");
  CHECK(services[0].chroot);
  CHECK(services[0].overrides.empty());
  CHECK(services[1].chroot);
  CHECK(services[1].overrides.size() == 2);
  CHECK_FALSE(services[2].chroot);
}

TEST_CASE("tables are split as Postfix splits them") {
  const auto tables = parse_tables(
      "hash:/etc/postfix/tls,proxy:socketmap:inet:[::1]:8461:postfix  inline:{ {a = b, c}, {d=e} "
      "}");
  REQUIRE(tables.size() == 3);
  CHECK(tables[0].type == "hash");
  CHECK(tables[1].type == "socketmap");
  CHECK(tables[1].proxied);
  CHECK(tables[1].address == "inet:[::1]:8461");
  CHECK(tables[1].map_name == "postfix");
  CHECK(tables[2].text == "inline:{ {a = b, c}, {d=e} }");
  CHECK(parse_tables(" ,, ").empty());
  CHECK(parse_tables("socketmap:").front().address.empty());
  CHECK(parse_tables("}{ x").size() == 1);
}

TEST_CASE("what nobody uses is named once") {
  CHECK(unused_parameters("postconf: warning: /x/main.cf: unused parameter: smtp_tls_x=y=z\n"
                          "postconf: warning: /x/main.cf: unused parameter: smtp_tls_x=y\n"
                          "postconf: warning: other\n") == std::vector<std::string>{"smtp_tls_x"});
}

TEST_CASE("the daemon's addresses are recognised in Postfix's words") {
  const std::vector<ListenAddress> listeners{*parse_listen_address("inet:127.0.0.1:8461"),
                                             *parse_listen_address("inet:[::]:8462"),
                                             *parse_listen_address("unix:/run/x")};
  CHECK(listens_at("inet:127.0.0.1:8461", listeners));
  CHECK(listens_at("inet:localhost:8461", listeners));
  CHECK(listens_at("inet:[::1]:8462", listeners));
  CHECK_FALSE(listens_at("inet:127.0.0.1:8463", listeners));
  CHECK_FALSE(listens_at("inet:127.0.0.2:8461", listeners));
  CHECK_FALSE(listens_at("inet:localhost:8463", listeners));
  CHECK_FALSE(listens_at("inet:", listeners));
}

TEST_CASE("a socket's path begins where its process stands") {
  CHECK(socket_path("unix:sealane/policy", "/var/spool/postfix", false) ==
        "/var/spool/postfix/sealane/policy");
  CHECK(socket_path("unix:/sealane/policy", "/var/spool/postfix", true) ==
        "/var/spool/postfix/sealane/policy");
  CHECK(socket_path("unix:/run/policy", "/var/spool/postfix", false) == "/run/policy");
  CHECK(socket_path("unix:../x", "/q/queue", false) == "/q/x");
}

TEST_CASE("the rights in the way are found") {
  const TempDir dir;
  const std::string outer = dir.file("outer");
  const std::string inner = outer + "/inner";
  ::mkdir(outer.c_str(), 0755);
  ::mkdir(inner.c_str(), 0755);
  std::ofstream(inner + "/socket") << "";
  ::chmod((inner + "/socket").c_str(), 0666);
  const Account stranger{4711, {4712}};
  const Account friendly{4711, {4712, ::getegid()}};
  const auto obstacle = [&](const Account& account) {
    return obstacle_on(inner + "/socket", outer, account);
  };
  CHECK(obstacle(stranger).empty());
  ::chmod((inner + "/socket").c_str(), 0660);
  CHECK(obstacle(stranger) == inner + "/socket");
  CHECK(obstacle(friendly).empty());
  CHECK(obstacle(Account{0, {0}}).empty());
  ::chmod(inner.c_str(), 0705);
  CHECK(obstacle(friendly) == inner);
  ::chmod(outer.c_str(), 0700);
  CHECK(obstacle(stranger) == outer);
  CHECK(obstacle(Account{::geteuid(), {::getegid()}}).empty());
  CHECK(obstacle_on(dir.file("absent/socket"), "/", stranger).find("absent") == std::string::npos);
}

TEST_CASE("drivers of Exim are read, and those of other kinds left out") {
  const auto drivers = parse_drivers(
      "\nremote_smtp transport:\nno_body_only\ndriver = smtp\nmulti_domain\nhosts_try_dane = *\n"
      "tls_sni = \n\nlocal transport:\ndriver = appendfile\n",
      "smtp");
  REQUIRE(drivers.size() == 1);
  CHECK(drivers[0].name == "remote_smtp");
  CHECK(drivers[0].options.at("body_only") == "false");
  CHECK(drivers[0].options.at("multi_domain") == "true");
  CHECK(drivers[0].options.at("hosts_try_dane") == "*");
  CHECK(drivers[0].options.at("tls_sni").empty());
  CHECK(parse_drivers("", "smtp").empty());
}

TEST_CASE("a program is run without a shell, and its streams are kept apart") {
  const auto output =
      run_child({"/bin/sh", "-c", "echo \"$1\"; echo oops >&2; exit 3", "x", "$(id)"});
  REQUIRE(output.has_value());
  CHECK(output->out == "$(id)\n");
  CHECK(output->err == "oops\n");
  CHECK(output->status == 3);
  CHECK(run_child({"/bin/sh", "-c", "kill -9 $$"})->status == 128 + 9);
}

TEST_CASE("a program gets no input, and may not talk without end") {
  CHECK(run_child({"/bin/cat"})->out.empty());
  const auto output = run_child({"/bin/sh", "-c", "while :; do echo 0123456789abcdef; done"});
  REQUIRE_FALSE(output.has_value());
  CHECK(output.error().find("says more than") != std::string::npos);
}

TEST_CASE("a program that is not there is an error") {
  CHECK_FALSE(run_child({"/nonexistent/program"}).has_value());
  CHECK_FALSE(find_program("no-such-program-at-all").has_value());
  CHECK(find_program("sh").has_value());
}

TEST_CASE("a file without certificates cannot be used") {
  const TempDir dir;
  CHECK(read_ca_file(dir.file("absent")).problem.find("No such file") != std::string::npos);
  const CaFile junk = read_ca_file(dir.write("junk.pem", "junk\n"));
  CHECK(junk.problem.find("no certificate") != std::string::npos);
  const CaFile damaged = read_ca_file(
      dir.write("damaged.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"));
  CHECK_FALSE(damaged.problem.empty());
}

TEST_CASE("a daemon that is not there is told from one that may not be asked") {
  const TempDir dir;
  const DaemonFacts facts = ask_daemon("unix:" + dir.file("admin"));
  CHECK_FALSE(facts.answered);
  CHECK_FALSE(facts.forbidden);
  CHECK(facts.problem.find("No such file") != std::string::npos);
  CHECK_FALSE(ask_daemon("nonsense").answered);
}

TEST_CASE("the report holds nothing that a terminal would obey, and breaks its lines") {
  Finding finding{"some-id", Grade::error, {}};
  finding.verdict.text = "word \x1b]0;title\x07 " + std::string(200, 'x');
  for (int i = 0; i < 40; ++i) finding.verdict.text += " word";
  finding.verdict.commands = {"printf '\\n\x1b[2J' >> /etc/x"};
  const std::string text = report_text(Facts{}, {finding}, false);
  for (const char c : text) CHECK_MESSAGE((c == '\n' || (c >= ' ' && c <= '~')), text);
  CHECK(text.find("# printf '\\n\\x1b[2J' >> /etc/x\n") != std::string::npos);
  CHECK(text.find("1 error, 0 warnings, 0 notes.") != std::string::npos);
  CHECK(report_text(Facts{}, {finding}, true).find("\x1b[1;31merror") != std::string::npos);
  CHECK(report_json(Facts{}, {finding}).find('\x1b') == std::string::npos);
}

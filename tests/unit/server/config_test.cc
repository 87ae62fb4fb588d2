// SPDX-License-Identifier: Apache-2.0
#include "server/config.h"

#include <doctest/doctest.h>

#include "policy/override_file.h"
#include "server/override_loader.h"
#include "server/temp_dir.h"

using namespace sealane;

namespace {
Result<Config> config(std::string_view text, const std::vector<ConfigSetting>& more = {}) {
  const auto settings = parse_config_text(text, "sealane.conf");
  if (!settings) return tl::unexpected(settings.error());
  return make_config(*settings, more);
}
std::string error(std::string_view text) {
  const auto read = config(text);
  return read ? "no error" : read.error();
}
bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}
}  // namespace

TEST_CASE("an empty file gives the defaults") {
  const auto read = config("");
  REQUIRE(read.has_value());
  CHECK(read->upstreams.empty());
  CHECK(read->trust_ad == AdTrust::loopback);
  CHECK_FALSE(read->families);
  CHECK(read->store_path == kDefaultStore);
  REQUIRE(read->socketmap.size() == 1);
  CHECK(read->socketmap[0].text() == kDefaultSocketmap);
  REQUIRE(read->admin.size() == 1);
  CHECK(read->admin[0].mode == 0600);
  CHECK(read->decision.default_level == DefaultLevel::may);
}

TEST_CASE("every option is read") {
  const auto read = config(
      "# a comment\n"
      "; another\r\n"
      "[resolver]\n"
      "upstream = 127.0.0.1@5353   # the lab's\n"
      "upstream = ::1\n"
      "trust-ad = always\n"
      "families = ipv6\n"
      "timeout = 7\n"
      "bogus-canary = Bogus.Example.\n"
      "[sts]\n"
      "ca-file = /etc/ssl/ca#1.pem\n"
      "allow-address = 127.0.0.0/8\n"
      "allow-address = fd00::/8\n"
      "allow-address = 10.0.0.1\n"
      "proxy = proxy.example.net:3128\n"
      "[store]\n"
      "url = sqlite:/tmp/s.db\n"
      "[socketmap]\n"
      "listen = unix:/run/s,mode=0666\n"
      "listen = inet:127.0.0.1:1234\n"
      "[admin]\n"
      "listen = unix:/run/a,group=adm\n"
      "[policy]\n"
      "mode = observe\n"
      "default-level = dane-only\n"
      "insecure-mx = may\n"
      "overrides = /etc/sealane/overrides\n"
      "on-downgrade = /usr/local/bin/tell postmaster\n"
      "[tlsrpt]\n"
      "socket = unix:/run/tlsrpt/collectd.sock\n"
      "[cache]\n"
      "entries = 100\n"
      "memory = 1\n"
      "[log]\n"
      "level = debug\n");
  REQUIRE_MESSAGE(read.has_value(), read.error());
  CHECK(read->upstreams == std::vector<UpstreamAddress>{{"127.0.0.1", 5353}, {"::1", 53}});
  CHECK(read->trust_ad == AdTrust::always);
  CHECK(read->families == Families::ipv6);
  CHECK(read->dns_timeout == std::chrono::seconds{7});
  CHECK(read->bogus_canary->text() == "bogus.example");
  CHECK(read->ca_file == "/etc/ssl/ca#1.pem");
  CHECK(read->allow_addresses == std::vector<std::string>{"127.0.0.0/8", "fd00::/8", "10.0.0.1"});
  CHECK(read->proxy == "proxy.example.net:3128");
  CHECK(read->store_path == "/tmp/s.db");
  CHECK(read->socketmap.size() == 2);
  CHECK(read->admin[0].group == "adm");
  CHECK(read->admin[0].mode == 0600);
  CHECK(read->decision.observe);
  CHECK(read->decision.default_level == DefaultLevel::dane_only);
  CHECK(read->decision.insecure_mx_may);
  CHECK(read->overrides_file == "/etc/sealane/overrides");
  CHECK(read->on_downgrade == "/usr/local/bin/tell postmaster");
  CHECK(read->tlsrpt_socket == "/run/tlsrpt/collectd.sock");
  CHECK(read->cache_entries == 100);
  CHECK(read->cache_mib == 1);
  CHECK(read->log_level == Severity::debug);

  SUBCASE("and what is shown is read back the same") {
    const std::string text = config_text(*read);
    const auto again = config(text);
    REQUIRE_MESSAGE(again.has_value(), again.error());
    CHECK(config_text(*again) == text);
    CHECK(again->upstreams == read->upstreams);
    CHECK(again->socketmap == read->socketmap);
    CHECK(again->store_path == read->store_path);
  }
}

TEST_CASE("the defaults are shown in a form that is read back") {
  const std::string text = config_text(*config(""));
  const auto again = config(text);
  REQUIRE_MESSAGE(again.has_value(), again.error());
  CHECK(config_text(*again) == text);
  CHECK(contains(text, "# upstream: a validating resolver"));
}

TEST_CASE("a name that does not exist is an error with its line") {
  CHECK(error("[resolver]\n\nupstreams = ::1\n") ==
        "sealane.conf:3: unknown option \"resolver.upstreams\"; [resolver] has upstream trust-ad "
        "families timeout bogus-canary");
  CHECK(
      contains(error("[dns]\na = b\n"), "sealane.conf:2: unknown option \"dns.a\"; the sections"));
  CHECK(contains(error("level = info\n"), "sealane.conf:1: unknown option \"level\""));
}

TEST_CASE("a line that is no setting is an error with its number") {
  CHECK(contains(error("[log]\nlevel info\n"), "sealane.conf:2: \"level info\" is neither"));
  CHECK(contains(error("[log\n"), "sealane.conf:1: a section is written [name]"));
  CHECK(contains(error("[log]\n= info\n"), "sealane.conf:2"));
  CHECK(contains(error("[log]\nlevel =\n"), "sealane.conf:2: log.level has no value"));
  CHECK(contains(error("[log]\nlevel = a\033[2Jb\n"), "control character"));
}

TEST_CASE("a value that does not fit names the line, the value and what is allowed") {
  struct Row {
    const char* section;
    const char* line;
    const char* allowed;
  };
  for (const Row& row : std::initializer_list<Row>{
           {"resolver", "trust-ad = sometimes", "allowed are loopback, always, never"},
           {"resolver", "upstream = localhost", "an IP address with an optional port"},
           {"resolver", "upstream = 127.0.0.1@0", "a number from 1 to 65535"},
           {"resolver", "upstream = 127.0.0.1@65536", "a number from 1 to 65535"},
           {"resolver", "families = both", "allowed are any, ipv4, ipv6"},
           {"resolver", "timeout = 0", "a number from 1 to 10"},
           {"resolver", "timeout = 11", "a number from 1 to 10"},
           {"resolver", "timeout = 5s", "a number from 1 to 10"},
           {"resolver", "bogus-canary = a..b", "sealane.conf:2"},
           {"sts", "ca-file = ca.pem", "an absolute path"},
           {"sts", "allow-address = 10.0.0.0/33", "a network such as"},
           {"sts", "allow-address = ten", "a network such as"},
           {"sts", "allow-address = 10.0.0.1/8", "bits set beyond its prefix"},
           {"sts", "proxy = proxy.example.net", "HOST:PORT"},
           {"sts", "proxy = proxy example:80", "HOST:PORT"},
           {"store", "url = /var/lib/x", "sqlite:/PATH"},
           {"socketmap", "listen = 8461", "allowed are unix:"},
           {"http", "listen = http://127.0.0.1", "allowed are unix:"},
           {"http", "rate = 0", "a number from 1 to 10000"},
           {"http", "rate = 10001", "a number from 1 to 10000"},
           {"admin", "listen = inet:127.0.0.1:1", "only served on unix sockets"},
           {"policy", "mode = report", "allowed are enforce, observe"},
           {"policy", "default-level = strict", "allowed are none, may, encrypt, dane, dane-only"},
           {"policy", "insecure-mx = no", "allowed are dane, may"},
           {"policy", "overrides = overrides", "an absolute path"},
           {"policy", "on-downgrade = tell", "an absolute path"},
           {"tlsrpt", "socket = /run/tlsrpt/collectd.sock", "allowed is unix:/PATH"},
           {"tlsrpt", "socket = unix:collectd.sock", "allowed is unix:/PATH"},
           {"cache", "entries = 99", "a number from 100 to 10000000"},
           {"cache", "memory = 0", "a number from 1 to 65536"},
           {"log", "level = loud", "allowed are debug, info, notice, warning, error, alarm"},
       }) {
    CAPTURE(row.line);
    const std::string text = error(std::string("[") + row.section + "]\n" + row.line + "\n");
    CHECK(contains(text, "sealane.conf:2: "));
    CHECK(contains(text, row.allowed));
  }
}

TEST_CASE("a service that this version does not have is refused, not ignored") {
  for (const char* text : {"[metrics]\nlisten = x\n"}) {
    CAPTURE(text);
    CHECK(contains(error(text), "sealane.conf:2: "));
    CHECK(contains(error(text), "does not offer this service"));
  }
}

TEST_CASE("only repeatable options may be given twice") {
  CHECK(error("[log]\nlevel = info\nlevel = debug\n") ==
        "sealane.conf:3: log.level is given twice (first: sealane.conf:2)");
}

TEST_CASE("the command line replaces what the file says, lists as a whole") {
  const auto read = config(
      "[log]\nlevel = info\n[resolver]\nupstream = ::1\nupstream = ::2\n",
      {{"log.level", "error", "command line"}, {"resolver.upstream", "127.0.0.1", "command line"}});
  REQUIRE(read.has_value());
  CHECK(read->log_level == Severity::error);
  CHECK(read->upstreams == std::vector<UpstreamAddress>{{"127.0.0.1", 53}});
}

TEST_CASE("the number of values of one option is bounded") {
  std::string text = "[sts]\n";
  for (std::size_t i = 0; i < kMaxConfigValues; ++i) text += "allow-address = 10.0.0.0/8\n";
  CHECK(config(text).has_value());
  CHECK(contains(error(text + "allow-address = 10.0.0.0/8\n"), "at most 256 values"));
}

TEST_CASE("the command line knows every option of the file, and nothing else") {
  const std::string usage = usage_text();
  for (const ConfigOption& option : config_options()) {
    CAPTURE(option.name);
    CHECK(contains(usage, "--" + std::string(option.name)));
    const auto read = parse_command_line({"--" + std::string(option.name), "x"});
    REQUIRE(read.has_value());
    REQUIRE(read->settings.size() == 1);
    CHECK(read->settings[0].value == "x");
  }
  CHECK_FALSE(parse_command_line({"--resolver.up", "x"}));
  CHECK_FALSE(parse_command_line({"--nonsense"}));
  CHECK_FALSE(parse_command_line({"stray"}));
  CHECK_FALSE(parse_command_line({"--config"}));
}

TEST_CASE("the command line says what is to be done") {
  using Verb = CommandLine::Verb;
  CHECK(parse_command_line({})->verb == Verb::run);
  CHECK(parse_command_line({"--check-config"})->verb == Verb::check_config);
  CHECK(parse_command_line({"--check-config", "--help"})->verb == Verb::help);
  CHECK(parse_command_line({"--version"})->verb == Verb::version);
  CHECK(parse_command_line({"--reset-store"})->reset_store);
  CHECK(parse_command_line({"--config", "/a"})->config_file == "/a");
  CHECK(parse_command_line({"--log.level=debug"})->settings[0].value == "debug");
}

TEST_CASE("a configuration file that was named must be there, and errors carry its name") {
  const TempDir dir;
  CommandLine command;
  command.config_file = dir.file("missing.conf");
  const auto missing = load_config(command);
  REQUIRE_FALSE(missing);
  CHECK(contains(missing.error(), "missing.conf: No such file"));

  command.config_file = dir.write("bad.conf", "[log]\n\nlevel = loud\n");
  const auto bad = load_config(command);
  REQUIRE_FALSE(bad);
  CHECK(contains(bad.error(), "bad.conf:3: log.level = loud: allowed are"));

  command.config_file = dir.write("good.conf", "[log]\nlevel = alarm\n");
  CHECK(load_config(command)->log_level == Severity::alarm);

  command.config_file = dir.write("huge.conf", std::string(kMaxConfigFile + 1, '#'));
  CHECK(contains(load_config(command).error(), "larger than"));
}

TEST_CASE("the errors of an overrides file begin with its name and line") {
  const TempDir dir;
  const auto errors = [](const std::string& path) {
    const auto loaded = load_overrides(path);
    return loaded ? std::vector<std::string>{} : loaded.error();
  };
  const std::string bad = dir.write("bad", "a.test observe reason=x\nb.test\n");
  REQUIRE(errors(bad).size() == 2);
  CHECK(errors(bad)[0].starts_with(bad + ":2: \"b.test\" has no reason"));
  CHECK(errors(bad)[1].starts_with(bad + ":2: \"b.test\" overrides nothing"));
  CHECK(errors(dir.file("missing")) ==
        std::vector<std::string>{dir.file("missing") + ": No such file or directory"});
  CHECK(contains(errors("/").front(), "is a directory"));
  const auto good = load_overrides(dir.write("good", "a.test observe reason=x"));
  REQUIRE(good.has_value());
  CHECK(good->rules().size() == 1);
}

TEST_CASE("an overrides file may be as large as its limit and not larger") {
  const TempDir dir;
  std::string text;
  while (text.size() < kMaxOverridesFile) text += std::string(63, '#') + "\n";
  REQUIRE(text.size() == kMaxOverridesFile);
  CHECK(load_overrides(dir.write("full", text)).has_value());
  const auto more = load_overrides(dir.write("more", text + "#"));
  REQUIRE_FALSE(more.has_value());
  CHECK(contains(more.error().front(), "larger than 33554432 octets"));
}

// SPDX-License-Identifier: Apache-2.0
// The daemon's configuration: an INI file, and the same names on the command line, which win.
//
//   [resolver]
//   upstream = 127.0.0.1@5353        # the same as --resolver.upstream=127.0.0.1@5353
//
// Unknown names, and values that do not fit, are errors with file, line and what is allowed.
#pragma once

#include <chrono>
#include <cstdint>
#include <iosfwd>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "base/result.h"
#include "lookup/resolver.h"
#include "policy/decision.h"
#include "policy/domain.h"
#include "server/listener.h"
#include "server/store_url.h"

namespace sealane {

inline constexpr std::string_view kDefaultConfigFile = "/etc/sealane/sealane.conf";
inline constexpr std::string_view kDefaultStore = "/var/lib/sealane/sealane.db";
inline constexpr std::string_view kDefaultSocketmap = "inet:127.0.0.1:8461";
inline constexpr std::string_view kDefaultAdmin = "unix:/run/sealane/admin.sock";

/// Requests a second that one client of http.listen may make: a mail server's, on a busy day.
inline constexpr std::uint32_t kDefaultPolicyRate = 10;
/// The most that can be configured.
inline constexpr std::uint32_t kMaxPolicyRate = 10'000;

/// How long one DNS question may take.  More would not fit into the 30 s of a whole answer.
inline constexpr std::chrono::seconds kDefaultDnsTimeout{10};

/// Largest configuration file, in octets: far above any real one.
inline constexpr std::size_t kMaxConfigFile = 1024 * 1024;
/// Values of one repeatable option at most.
inline constexpr std::size_t kMaxConfigValues = 256;

/// A validating resolver.
struct UpstreamAddress {
  std::string address;  ///< IPv4 or IPv6, without brackets
  std::uint16_t port = 53;
  friend bool operator==(const UpstreamAddress&, const UpstreamAddress&) = default;
};

/// Whose AD bit is believed (resolver.trust-ad).
enum class AdTrust { loopback, always, never };

struct Config {
  std::vector<UpstreamAddress> upstreams;  ///< empty: the loopback name servers of resolv.conf
  AdTrust trust_ad = AdTrust::loopback;
  std::optional<Families> families;  ///< absent: those with a default route at the start
  std::chrono::seconds dns_timeout = kDefaultDnsTimeout;
  std::optional<Domain> bogus_canary;

  std::string ca_file;                       ///< empty: the system's
  std::vector<std::string> allow_addresses;  ///< networks in CIDR notation
  std::string proxy;                         ///< HOST:PORT; empty: none

  std::string store_path{kDefaultStore};  ///< of the SQLite file
  bool store_path_given = false;
  std::optional<RedisUrl> shared_store;
  std::string store_ca_file;  ///< for its certificate; empty: the system's

  std::vector<ListenAddress> socketmap;
  std::vector<ListenAddress> exim;    ///< empty: not served
  std::vector<ListenAddress> access;  ///< empty: not served
  std::string access_table;           ///< empty: no rules, everybody is answered DUNNO
  std::vector<ListenAddress> http;    ///< empty: not served
  std::uint32_t http_rate = kDefaultPolicyRate;
  std::vector<ListenAddress> admin;

  DecisionSettings decision;
  std::string overrides_file;  ///< empty: none
  std::string on_downgrade;    ///< a program and its arguments; empty: none
  std::string tlsrpt_socket;   ///< of the collector, a path; empty: nothing is reported

  std::size_t cache_entries = 100'000;
  std::size_t cache_mib = 64;
  Severity log_level = Severity::info;
};

/// One option of the file and the command line.  The table of all of them is the only place where
/// an option is named.
struct ConfigOption {
  std::string_view name;   ///< "section.key"
  std::string_view value;  ///< how its value looks, for people
  std::string_view help;
  bool repeatable;
  /// Takes a value, for a repeatable option one more; the error says what is allowed.
  Result<void> (*set)(Config& config, std::string_view value);
  /// The values in effect, in the form that set() takes, but without passwords; none = left to its
  /// default.
  std::vector<std::string> (*get)(const Config& config);
};
std::span<const ConfigOption> config_options();

/// A value and where it was written: "sealane.conf:12" or "command line".
struct ConfigSetting {
  std::string name;
  std::string value;
  std::string origin;
};

/// Splits the text of a file into settings.  Does not know which names exist.
Result<std::vector<ConfigSetting>> parse_config_text(std::string_view text,
                                                     std::string_view file_name);

/// The configuration of these settings; those of the command line replace those of the file.
Result<Config> make_config(const std::vector<ConfigSetting>& file,
                           const std::vector<ConfigSetting>& command_line);

/// The configuration as a file that would be read back the same, but for passwords: "***".
std::string config_text(const Config& config);

/// What `sealaned` was asked to do.
struct CommandLine {
  enum class Verb { run, check_config, help, version };
  Verb verb = Verb::run;
  bool reset_store = false;
  std::optional<std::string> config_file;  ///< absent: kDefaultConfigFile, if it is there
  std::vector<ConfigSetting> settings;
};
/// Fails on wrong usage.  `arguments` without the program's own name.
Result<CommandLine> parse_command_line(const std::vector<std::string>& arguments);
/// The text of `sealaned --help`: every option.
std::string usage_text();

/// Reads the file and adds the command line's settings.  Used at start and for a reload.
Result<Config> load_config(const CommandLine& command_line);

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
// What `sealane doctor` knows of this machine.  Gathering (the *_facts.cc, sealane_doctor.cc) looks
// and does not judge; the checks (checks.h) judge and do not look.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "server/config.h"

namespace sealane::doctor {

/// Values by name, as a program prints them.
using Parameters = std::map<std::string, std::string, std::less<>>;

/// "3.7.11", or "3.12-20260821", where the last number is 0.
struct Version {
  int major = 0;
  int minor = 0;
  int patch = 0;
  friend bool operator==(const Version&, const Version&) = default;
  friend bool operator<(const Version& a, const Version& b) {
    return std::tie(a.major, a.minor, a.patch) < std::tie(b.major, b.minor, b.patch);
  }
};

/// A file of CA certificates.
struct CaFile {
  std::string path;
  std::string problem;  ///< why it cannot be used at all; empty if it can be read
  std::size_t certificates = 0;
  std::size_t expired = 0;
};

/// What became of a try to ask the daemon where a policy table says that it listens.
enum class Contact {
  answered,
  absent,   ///< no such file, or nobody listens there
  denied,   ///< the user that asks may not come in
  foreign,  ///< something that does not speak socketmap, or no socket at all
};

/// A table of smtp_tls_policy_maps as one delivery agent sees it.
struct PolicyTable {
  std::string text;      ///< as written
  std::string type;      ///< "hash", "socketmap"; without "proxy:"
  std::string address;   ///< socketmap: "unix:sealane/policy", "inet:127.0.0.1:8461"
  std::string map_name;  ///< socketmap: "postfix"
  bool proxied = false;
  bool is_ours = false;  ///< a socketmap that leads to the daemon, or was meant to
};

/// The way of one delivery agent to the socket of one table.
struct Way {
  std::string service;         ///< "smtp/unix"
  std::string address;         ///< as in PolicyTable
  std::string path;            ///< unix: the file of the socket, seen from outside of any chroot
  bool is_listener = false;    ///< the daemon's configuration says that it listens there
  bool chroot_misses = false;  ///< an absolute path, which in the chroot names another file
  Contact contact = Contact::answered;
  std::string obstacle;  ///< denied: the directory or socket whose rights are in the way
};

/// A line of master.cf that runs smtp(8) or lmtp(8).
struct Service {
  std::string name;  ///< "smtp/unix"
  bool chroot = false;
  Parameters overrides;  ///< its -o options
};

struct PostfixFacts {
  std::string config_dir;  ///< as given; empty: Postfix's own
  Version version;
  Parameters values;                 ///< expanded; what this version does not have is absent
  std::vector<std::string> written;  ///< parameters that main.cf sets
  std::vector<std::string> unused;   ///< of them, those that postconf says nobody uses
  std::vector<Service> services;
  std::vector<PolicyTable> tables;
  std::vector<Way> ways;
  CaFile ca_file;                 ///< of smtp_tls_CAfile; path empty: none is set
  bool ca_path_in_chroot = true;  ///< smtp_tls_CApath is there inside the chroot too
  std::optional<std::string> chroot_resolv_conf;  ///< text; absent: no such file
  std::string problem;  ///< why Postfix could not be looked at; the rest is empty then

  /// The value, or nothing where there is none or it is empty.
  std::string_view value(std::string_view name) const;
  bool any_chroot() const;
  /// The TLS level that applies without an answer, also where main.cf says it by older names.
  std::string_view level() const;
};

/// A router or transport.
struct EximDriver {
  std::string name;
  Parameters options;  ///< a switch is "true" or "false"
};

struct EximFacts {
  Parameters main;
  std::vector<EximDriver> routers;     ///< those with driver dnslookup
  std::vector<EximDriver> transports;  ///< those with driver smtp
  std::string config_file;             ///< as given; empty: Exim's own
  std::string problem;                 ///< why Exim could not be looked at
};

/// A resolver and its self-test.
struct ResolverFact {
  std::string server;  ///< "127.0.0.1", "127.0.0.1@5353"
  bool loopback = false;
  bool passed = false;
  std::string text;  ///< what the self-test says
};

struct ResolverFacts {
  std::string unusable;  ///< why the daemon could not even begin with its resolvers
  std::vector<ResolverFact> ours;
  std::vector<ResolverFact> system;  ///< those of resolv.conf, which the MTA asks
};

struct DaemonFacts {
  std::string address;  ///< of the admin socket that was tried
  bool answered = false;
  bool forbidden = false;  ///< this user may not ask
  std::string problem;     ///< why there was no answer
  std::vector<std::string> warnings;
  std::string tlsrpt_problem;  ///< why nobody took the last TLSRPT report; empty: all is well
};

struct ClockFacts {
  int year = 0;
  bool synchronised = true;  ///< the kernel's own opinion (adjtimex(2))
};

struct Facts {
  std::string config_file;
  std::string config_problem;           ///< why it could not be read; then `config` has defaults
  std::vector<ConfigSetting> settings;  ///< what the file says
  Config config;
  Families families = Families::any;  ///< in effect
  std::vector<std::string> override_problems;
  bool store_is_volatile = false;  ///< the directory of the store is kept in memory only

  std::optional<PostfixFacts> postfix;  ///< absent: there is none
  std::optional<EximFacts> exim;
  ResolverFacts resolver;
  std::string resolv_conf;  ///< the text of /etc/resolv.conf
  DaemonFacts daemon;
  ClockFacts clock;
  CaFile ca;  ///< by which policy hosts are judged
};

}  // namespace sealane::doctor

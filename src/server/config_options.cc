// SPDX-License-Identifier: Apache-2.0
// The table of options: their names, what they take, and how they are read and shown.
#include <fmt/format.h>
#include <sys/un.h>

#include <array>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>
#include <utility>

#include "base/text.h"
#include "server/config.h"

namespace sealane {
namespace ip = boost::asio::ip;
namespace {

using Values = std::vector<std::string>;

/// The words an option takes and what they mean.  One table serves reading and showing.
template <class T, std::size_t N>
using Words = std::array<std::pair<std::string_view, T>, N>;

template <class T, std::size_t N>
Result<T> choose(const Words<T, N>& words, std::string_view value) {
  std::string allowed;
  for (const auto& [word, meaning] : words) {
    if (word == value) return meaning;
    allowed += fmt::format("{}{}", allowed.empty() ? "" : ", ", word);
  }
  return failure("allowed are {}", allowed);
}

template <class T, std::size_t N>
Values show(const Words<T, N>& words, T wanted) {
  for (const auto& [word, meaning] : words) {
    if (meaning == wanted) return {std::string(word)};
  }
  return {};
}

constexpr Words<AdTrust, 3> kTrustAd{
    {{"loopback", AdTrust::loopback}, {"always", AdTrust::always}, {"never", AdTrust::never}}};
constexpr Words<Families, 3> kFamilies{
    {{"any", Families::any}, {"ipv4", Families::ipv4}, {"ipv6", Families::ipv6}}};
constexpr Words<bool, 2> kMode{{{"enforce", false}, {"observe", true}}};
constexpr Words<bool, 2> kInsecureMx{{{"dane", false}, {"may", true}}};
constexpr Words<DefaultLevel, 8> kLevels{{{"none", DefaultLevel::none},
                                          {"may", DefaultLevel::may},
                                          {"encrypt", DefaultLevel::encrypt},
                                          {"dane", DefaultLevel::dane},
                                          {"dane-only", DefaultLevel::dane_only},
                                          {"fingerprint", DefaultLevel::fingerprint},
                                          {"verify", DefaultLevel::verify},
                                          {"secure", DefaultLevel::secure}}};
constexpr Words<Severity, 6> kSeverities{{{"debug", Severity::debug},
                                          {"info", Severity::info},
                                          {"notice", Severity::notice},
                                          {"warning", Severity::warning},
                                          {"error", Severity::error},
                                          {"alarm", Severity::alarm}}};

template <class T>
Result<void> assign(T& field, Result<T> value) {
  if (!value) return tl::unexpected(std::move(value.error()));
  field = std::move(*value);
  return {};
}

template <class T>
Result<void> append(std::vector<T>& field, Result<T> value) {
  if (!value) return tl::unexpected(std::move(value.error()));
  if (field.size() >= kMaxConfigValues) return failure("at most {} values", kMaxConfigValues);
  field.push_back(std::move(*value));
  return {};
}

Result<std::uint64_t> number(std::string_view value, std::uint64_t least, std::uint64_t most) {
  const auto read = parse_decimal(value, most);
  if (!read || *read < least) return failure("allowed is a number from {} to {}", least, most);
  return *read;
}

Result<std::string> command(std::string_view value) {
  if (!value.starts_with('/')) return failure("allowed is an absolute path, and arguments");
  return std::string(value);
}

Result<UpstreamAddress> upstream(std::string_view value) {
  const std::size_t at = std::min(value.find('@'), value.size());
  UpstreamAddress server;
  server.address = value.substr(0, at);
  if (!is_ip_address(server.address)) {
    return failure("allowed is an IP address with an optional port, such as 127.0.0.1@5353");
  }
  if (at == value.size()) return server;
  const auto port = number(value.substr(at + 1), 1, 65535);
  if (!port) return failure("after \"@\", {}", port.error());
  server.port = static_cast<std::uint16_t>(*port);
  return server;
}

Result<std::string> network(std::string_view value) {
  const auto wrong = failure("allowed is a network such as 10.1.0.0/16 or fd00::/8");
  const std::size_t slash = value.find('/');
  if (!is_ip_address(value.substr(0, slash))) return wrong;
  if (slash == std::string_view::npos) return std::string(value);
  if (!parse_decimal(value.substr(slash + 1), 128)) return wrong;
  boost::system::error_code error;
  bool clean = false;
  if (value.find(':') == std::string_view::npos) {
    const auto net = ip::make_network_v4(std::string(value), error);
    clean = !error && net == net.canonical();
  } else {
    const auto net = ip::make_network_v6(std::string(value), error);
    clean = !error && net == net.canonical();
  }
  if (error) return wrong;
  if (!clean) return failure("the address has bits set beyond its prefix");
  return std::string(value);
}

Result<std::string> host_and_port(std::string_view value) {
  const auto wrong = failure("allowed is HOST:PORT, such as proxy.example.net:3128");
  const std::size_t colon = value.rfind(':');
  if (colon == std::string_view::npos) return wrong;
  std::string_view host = value.substr(0, colon);
  if (!number(value.substr(colon + 1), 1, 65535)) return wrong;
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed && is_ip_address(host.substr(1, host.size() - 2))) return std::string(value);
  if (!Domain::parse(host)) return wrong;
  return std::string(value);
}

Result<std::string> absolute_path(std::string_view value) {
  if (!value.starts_with('/')) return failure("allowed is an absolute path");
  return std::string(value);
}

constexpr std::string_view kUnix = "unix:";

/// Of a socket that somebody else opens.
Result<std::string> socket_path(std::string_view value) {
  constexpr std::size_t kMaxPath = sizeof(sockaddr_un::sun_path) - 1;
  if (!value.starts_with("unix:/")) return failure("allowed is unix:/PATH");
  value.remove_prefix(kUnix.size());
  if (value.size() > kMaxPath) return failure("the path is longer than {} octets", kMaxPath);
  return std::string(value);
}

/// At most one file and one server.
Result<void> add_store(Config& config, std::string_view value) {
  if (RedisUrl::is_one(value)) {
    auto url = RedisUrl::parse(value);
    if (!url) return tl::unexpected(url.error());
    if (config.shared_store) return failure("a server is given already, and one is enough");
    config.shared_store = std::move(*url);
    return {};
  }
  if (!value.starts_with("sqlite:/")) {
    return failure("allowed are sqlite:/PATH, redis://HOST, rediss://HOST, redis+unix:///PATH");
  }
  if (config.store_path_given) return failure("a file is given already, and one is enough");
  config.store_path = value.substr(7);
  config.store_path_given = true;
  return {};
}

Values stores(const Config& config) {
  Values out{"sqlite:" + config.store_path};
  if (config.shared_store) out.push_back(config.shared_store->text());
  return out;
}

Result<ListenAddress> admin_address(std::string_view value) {
  Result<ListenAddress> address = parse_listen_address(value, 0600);
  if (address && !address->is_unix()) {
    return failure("the admin API is only served on unix sockets: unix:/PATH[,mode=][,group=]");
  }
  return address;
}

Result<Domain> name(std::string_view value) { return Domain::parse(value); }

Values texts(const std::vector<ListenAddress>& addresses) {
  Values out;
  for (const ListenAddress& address : addresses) out.push_back(address.text());
  return out;
}

Values unless_empty(const std::string& text, std::string_view before = {}) {
  return text.empty() ? Values{} : Values{std::string(before) + text};
}

/// An option of the stable interface whose service this version does not have.  Ignoring it would
/// let an operator believe that it works.
Result<void> not_served(Config&, std::string_view) {
  return failure("this version does not offer this service; remove the line");
}
Values nothing(const Config&) { return {}; }

const std::array<ConfigOption, 27> kOptions{{
    {"resolver.upstream", "ADDR[@PORT]",
     "a validating resolver (default: the loopback name servers of /etc/resolv.conf)", true,
     [](Config& c, std::string_view v) { return append(c.upstreams, upstream(v)); },
     [](const Config& c) {
       Values out;
       for (const UpstreamAddress& u : c.upstreams)
         out.push_back(fmt::format("{}@{}", u.address, u.port));
       return out;
     }},
    {"resolver.trust-ad", "loopback|always|never",
     "whose AD bit is believed: that of loopback resolvers, of all, of none (no DANE)", false,
     [](Config& c, std::string_view v) { return assign(c.trust_ad, choose(kTrustAd, v)); },
     [](const Config& c) { return show(kTrustAd, c.trust_ad); }},
    {"resolver.families", "any|ipv4|ipv6",
     "address families in which mail is sent (default: those with a default route)", false,
     [](Config& c, std::string_view v) -> Result<void> {
       const auto chosen = choose(kFamilies, v);
       if (!chosen) return tl::unexpected(chosen.error());
       c.families = *chosen;
       return {};
     },
     [](const Config& c) { return c.families ? show(kFamilies, *c.families) : Values{}; }},
    {"resolver.timeout", "SECONDS", "how long one DNS question may take, 1 to 10", false,
     [](Config& c, std::string_view v) -> Result<void> {
       const auto read = number(v, 1, 10);
       if (!read) return tl::unexpected(read.error());
       c.dns_timeout = std::chrono::seconds(*read);
       return {};
     },
     [](const Config& c) { return Values{fmt::format("{}", c.dns_timeout.count())}; }},
    {"resolver.bogus-canary", "NAME",
     "a name with broken DNSSEC; if it resolves, the resolver does not validate", false,
     [](Config& c, std::string_view v) -> Result<void> {
       const auto read = name(v);
       if (!read) return tl::unexpected(read.error());
       c.bogus_canary = *read;
       return {};
     },
     [](const Config& c) { return c.bogus_canary ? Values{c.bogus_canary->text()} : Values{}; }},
    {"sts.ca-file", "FILE", "CA certificates for policy hosts (default: the system's)", false,
     [](Config& c, std::string_view v) { return assign(c.ca_file, absolute_path(v)); },
     [](const Config& c) { return unless_empty(c.ca_file); }},
    {"sts.allow-address", "CIDR", "a network of private addresses that policy hosts may have", true,
     [](Config& c, std::string_view v) { return append(c.allow_addresses, network(v)); },
     [](const Config& c) { return c.allow_addresses; }},
    {"sts.proxy", "HOST:PORT", "an HTTP proxy for policy hosts, asked to CONNECT", false,
     [](Config& c, std::string_view v) { return assign(c.proxy, host_and_port(v)); },
     [](const Config& c) { return unless_empty(c.proxy); }},
    {"store.url", "URL",
     "where policies are remembered: sqlite:/PATH; and, if shared with other nodes, a Redis as "
     "well: redis[s]://[USER:PASSWORD@]HOST[:PORT][/DB], "
     "redis+unix://[USER:PASSWORD@]/PATH[?db=DB]",
     true, add_store, stores},
    {"store.ca-file", "FILE", "CA certificates for rediss:// (default: the system's)", false,
     [](Config& c, std::string_view v) { return assign(c.store_ca_file, absolute_path(v)); },
     [](const Config& c) { return unless_empty(c.store_ca_file); }},
    {"socketmap.listen", "ADDRESS",
     "where Postfix and Sendmail ask: unix:/PATH[,mode=0660][,group=NAME] or inet:HOST:PORT", true,
     [](Config& c, std::string_view v) { return append(c.socketmap, parse_listen_address(v)); },
     [](const Config& c) { return texts(c.socketmap); }},
    {"exim.listen", "ADDRESS",
     "where Exim asks: unix:/PATH[,mode=0660][,group=NAME] or inet:HOST:PORT", true,
     [](Config& c, std::string_view v) { return append(c.exim, parse_listen_address(v)); },
     [](const Config& c) { return texts(c.exim); }},
    {"access.listen", "ADDRESS", "where smtpd(8) of Postfix asks (check_policy_service)", true,
     [](Config& c, std::string_view v) { return append(c.access, parse_listen_address(v)); },
     [](const Config& c) { return texts(c.access); }},
    {"access.table", "FILE", "whose recipients must be reachable securely", false,
     [](Config& c, std::string_view v) { return assign(c.access_table, absolute_path(v)); },
     [](const Config& c) { return unless_empty(c.access_table); }},
    {"http.listen", "ADDRESS",
     "where other mail servers ask, by GET /v1/policy/DOMAIN: inet:HOST:PORT or unix:/PATH", true,
     [](Config& c, std::string_view v) { return append(c.http, parse_listen_address(v)); },
     [](const Config& c) { return texts(c.http); }},
    {"http.rate", "NUMBER", "requests a second that one of their addresses may make, 1 to 10000",
     false,
     [](Config& c, std::string_view v) -> Result<void> {
       const auto read = number(v, 1, kMaxPolicyRate);
       if (!read) return tl::unexpected(read.error());
       c.http_rate = static_cast<std::uint32_t>(*read);
       return {};
     },
     [](const Config& c) { return Values{fmt::format("{}", c.http_rate)}; }},
    {"admin.listen", "ADDRESS", "where `sealane` asks: unix:/PATH[,mode=0600][,group=NAME]", true,
     [](Config& c, std::string_view v) { return append(c.admin, admin_address(v)); },
     [](const Config& c) { return texts(c.admin); }},
    {"metrics.listen", "ADDRESS", "OpenMetrics over HTTP (not in this version)", true, not_served,
     nothing},
    {"policy.overrides", "FILE", "the operator's own policies, by domain", false,
     [](Config& c, std::string_view v) { return assign(c.overrides_file, absolute_path(v)); },
     [](const Config& c) { return unless_empty(c.overrides_file); }},
    {"policy.mode", "enforce|observe",
     "observe: always answer \"not found\" and log what would have been said", false,
     [](Config& c, std::string_view v) { return assign(c.decision.observe, choose(kMode, v)); },
     [](const Config& c) { return show(kMode, c.decision.observe); }},
    {"policy.default-level", "LEVEL",
     "smtp_tls_security_level of main.cf: none, may, encrypt, dane, dane-only, fingerprint, verify "
     "or secure",
     false,
     [](Config& c, std::string_view v) {
       return assign(c.decision.default_level, choose(kLevels, v));
     },
     [](const Config& c) { return show(kLevels, c.decision.default_level); }},
    {"policy.insecure-mx", "dane|may", "what TLSA records behind an insecure MX record are worth",
     false,
     [](Config& c, std::string_view v) {
       return assign(c.decision.insecure_mx_may, choose(kInsecureMx, v));
     },
     [](const Config& c) { return show(kInsecureMx, c.decision.insecure_mx_may); }},
    {"policy.on-downgrade", "COMMAND",
     "a program, with arguments, that is told what becomes less protected (no shell)", false,
     [](Config& c, std::string_view v) { return assign(c.on_downgrade, command(v)); },
     [](const Config& c) { return unless_empty(c.on_downgrade); }},
    {"tlsrpt.socket", "unix:PATH",
     "where TLSRPT is collected: told what the MTA cannot report (default: nowhere)", false,
     [](Config& c, std::string_view v) { return assign(c.tlsrpt_socket, socket_path(v)); },
     [](const Config& c) { return unless_empty(c.tlsrpt_socket, kUnix); }},
    {"cache.entries", "NUMBER", "answers kept ready at most, 100 to 10000000", false,
     [](Config& c, std::string_view v) -> Result<void> {
       const auto read = number(v, 100, 10'000'000);
       if (!read) return tl::unexpected(read.error());
       c.cache_entries = *read;
       return {};
     },
     [](const Config& c) { return Values{fmt::format("{}", c.cache_entries)}; }},
    {"cache.memory", "MIB", "room for ready answers, 1 to 65536 MiB", false,
     [](Config& c, std::string_view v) -> Result<void> {
       const auto read = number(v, 1, 65536);
       if (!read) return tl::unexpected(read.error());
       c.cache_mib = *read;
       return {};
     },
     [](const Config& c) { return Values{fmt::format("{}", c.cache_mib)}; }},
    {"log.level", "LEVEL", "least severity: debug, info, notice, warning, error, alarm", false,
     [](Config& c, std::string_view v) { return assign(c.log_level, choose(kSeverities, v)); },
     [](const Config& c) { return show(kSeverities, c.log_level); }},
}};

}  // namespace

std::span<const ConfigOption> config_options() { return kOptions; }

}  // namespace sealane

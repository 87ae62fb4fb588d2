// SPDX-License-Identifier: Apache-2.0
#include "policy/next_hop.h"

#include <netdb.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <utility>

#include "base/text.h"

namespace sealane {
namespace {

using Why = NoNextHop::Why;

NoNextHop none(Why why, std::string text) { return NoNextHop{why, std::move(text)}; }

NoNextHop invalid(std::string_view key, std::string_view problem) {
  return none(Why::invalid, fmt::format("\"{}\": {}", escape(key), problem));
}

NoNextHop literal(std::string_view key) {
  return none(Why::address_literal, fmt::format("\"{}\" is an address", escape(key)));
}

/// The pieces of a key, still unchecked.
struct Pieces {
  std::string_view host;
  std::string_view port;  ///< empty: the default
  bool brackets = false;
};

/// Cuts a key as Postfix does: at the bracket or else at the last colon; an empty port is the
/// default one.
std::optional<Pieces> cut(std::string_view key) {
  Pieces pieces;
  std::string_view rest;
  if (key.starts_with('[')) {
    const auto end = key.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    pieces.brackets = true;
    pieces.host = key.substr(1, end - 1);
    rest = key.substr(end + 1);
    if (!rest.empty() && rest.front() != ':') return std::nullopt;
  } else {
    const auto colon = std::min(key.rfind(':'), key.size());
    pieces.host = key.substr(0, colon);
    rest = key.substr(colon);
  }
  if (!rest.empty()) pieces.port = rest.substr(1);
  return pieces;
}

/// The names that mail software uses are known here: a chroot may lack /etc/services.
std::optional<std::uint16_t> well_known_port(std::string_view name) {
  constexpr std::array<std::pair<std::string_view, std::uint16_t>, 4> kPorts{
      {{"smtp", 25}, {"smtps", 465}, {"submission", 587}, {"submissions", 465}}};
  for (const auto& [known, port] : kPorts) {
    if (name == known) return port;
  }
  return std::nullopt;
}

std::optional<std::uint16_t> port_from_services(const std::string& name) {
  constexpr std::size_t kServiceBuffer = 8192;  // octets; one services(5) entry with its aliases
  std::array<char, kServiceBuffer> buffer;
  servent entry{};
  servent* found = nullptr;
  if (getservbyname_r(name.c_str(), "tcp", &entry, buffer.data(), buffer.size(), &found) != 0 ||
      found == nullptr) {
    return std::nullopt;
  }
  return ntohs(static_cast<std::uint16_t>(found->s_port));
}

bool is_service_octet(char c) {
  return is_alpha(c) || is_digit(c) || c == '-' || c == '_' || c == '.' || c == '+';
}

/// A port number from 1 to 65535 or the name of a TCP service.
std::optional<std::uint16_t> read_port(std::string_view text) {
  if (std::all_of(text.begin(), text.end(), is_digit)) {
    const auto number = parse_decimal(text, std::numeric_limits<std::uint16_t>::max());
    if (!number || *number == 0) return std::nullopt;
    return static_cast<std::uint16_t>(*number);
  }
  if (!std::all_of(text.begin(), text.end(), is_service_octet)) return std::nullopt;
  const std::string name = lower_ascii(text);
  if (const auto known = well_known_port(name)) return known;
  return port_from_services(name);
}

/// True for what may stand between brackets instead of a name: an address, or "IPv6:" and one.
bool is_literal(std::string_view host) {
  constexpr std::string_view kTag = "ipv6:";
  if (lower_ascii(host.substr(0, kTag.size())) == kTag) host.remove_prefix(kTag.size());
  return is_ip_address(host);
}

std::variant<Domain, NoNextHop> read_host(std::string_view host, std::string_view key) {
  auto domain = Domain::parse_idn(host);
  if (domain && is_ip_address(domain->text())) return literal(key);  // "192.0.2.1." or full-width
  if (domain) return *std::move(domain);
  if (!is_ascii(host)) return none(Why::not_convertible, std::move(domain.error()));
  if (host.size() > kMaxDomainLength + (host.ends_with('.') ? 1 : 0)) {
    return none(Why::too_long, std::move(domain.error()));
  }
  return invalid(key, domain.error());
}

/// What can be told before a key is taken apart.
std::optional<NoNextHop> judge_whole(std::string_view key) {
  if (key.empty()) return none(Why::empty, "an empty key");
  if (key.size() > kMaxKeyLength) {
    return none(Why::too_long,
                fmt::format("a key of {} octets, at most {}", key.size(), kMaxKeyLength));
  }
  if (key.front() == '.' && key.size() > 1) {
    return none(Why::parent_domain, fmt::format("\"{}\" is a parent domain", escape(key)));
  }
  if (is_ip_address(key)) return literal(key);
  return std::nullopt;
}

}  // namespace

std::string NextHop::text() const {
  std::string out = mx_lookup ? domain.text() : fmt::format("[{}]", domain.text());
  if (port != kSmtpPort) out += fmt::format(":{}", port);
  return out;
}

ParsedKey parse_next_hop(std::string_view key) {
  if (auto verdict = judge_whole(key)) return *std::move(verdict);
  const auto pieces = cut(key);
  if (!pieces) return invalid(key, "brackets that do not pair");
  if (is_literal(pieces->host)) return literal(key);
  auto host = read_host(pieces->host, key);
  if (auto* verdict = std::get_if<NoNextHop>(&host)) return std::move(*verdict);
  const auto port = pieces->port.empty() ? kSmtpPort : read_port(pieces->port);
  if (!port) {
    return none(Why::unknown_port, fmt::format("\"{}\": no port or TCP service \"{}\"", escape(key),
                                               escape(pieces->port)));
  }
  return NextHop{std::get<Domain>(std::move(host)), !pieces->brackets, *port};
}

ParsedKey parse_requiretls_key(std::string_view key) {
  if (auto verdict = judge_whole(key)) return *std::move(verdict);
  auto host = read_host(key, key);
  if (auto* verdict = std::get_if<NoNextHop>(&host)) return std::move(*verdict);
  return NextHop{std::get<Domain>(std::move(host)), true, kSmtpPort};
}

}  // namespace sealane

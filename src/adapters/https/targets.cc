// SPDX-License-Identifier: Apache-2.0
#include "adapters/https/targets.h"

#include <algorithm>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <tuple>
#include <utility>

#include "base/text.h"

namespace sealane {
namespace {

using boost::asio::ip::address;

/// IPv6 and IPv4 in turn, beginning with IPv6 (RFC 8305, section 4), each address once.
std::vector<address> interleaved(const DnsReply& a, const DnsReply& aaaa) {
  std::vector<address> mixed;
  const auto add = [&](const std::vector<address>& from, std::size_t i) {
    if (i >= from.size()) return;
    if (std::find(mixed.begin(), mixed.end(), from[i]) == mixed.end()) mixed.push_back(from[i]);
  };
  for (std::size_t i = 0; i < std::max(a.addresses.size(), aaaa.addresses.size()); ++i) {
    add(aaaa.addresses, i);
    add(a.addresses, i);
  }
  return mixed;
}

FetchFailure no_address(const Domain& host, const DnsReply& a, const DnsReply& aaaa) {
  const bool own = (a.failed() && a.own_fault) || (aaaa.failed() && aaaa.own_fault);
  const auto problem = own ? FetchProblem::own : FetchProblem::dns;
  if (a.failed() || aaaa.failed()) {
    const DnsReply& failed = a.failed() ? a : aaaa;
    const auto type = a.failed() ? RrType::a : RrType::aaaa;
    return {
        problem, fmt::format("{} of {}: {}", name_of(type), host.text(), escape(failed.why)), {}};
  }
  const bool absent = a.status == DnsStatus::nxdomain || aaaa.status == DnsStatus::nxdomain;
  return {problem, host.text() + (absent ? " does not exist" : " has no address"), {}};
}

}  // namespace

FoundTargets choose_targets(const Domain& host, const DnsReply& a, const DnsReply& aaaa,
                            const AddressFilter* filter) {
  Targets targets;
  targets.own_gap = (a.failed() && a.own_fault) || (aaaa.failed() && aaaa.own_fault);
  std::string refused;
  const auto candidates = interleaved(a, aaaa);
  for (const address& candidate : candidates) {
    const auto why = filter ? filter->refusal(candidate) : std::nullopt;
    if (!why) {
      targets.addresses.push_back(candidate);
    } else if (refused.size() < kMaxForeignText) {
      refused += fmt::format("{}{} ({})", refused.empty() ? "" : ", ", candidate.to_string(), *why);
    }
  }
  if (candidates.empty()) return tl::unexpected(no_address(host, a, aaaa));
  if (targets.addresses.empty()) {
    const auto problem = targets.own_gap ? FetchProblem::own : FetchProblem::address;
    return tl::unexpected(FetchFailure{
        problem, fmt::format("{} has no address that is allowed: {}", host.text(), refused), {}});
  }
  if (targets.addresses.size() > kMaxAddresses) targets.addresses.resize(kMaxAddresses);
  return targets;
}

Task<FoundTargets> find_targets(Resolver& resolver, Domain host, std::string for_key,
                                const AddressFilter* filter, bool fresh) {
  using namespace boost::asio::experimental::awaitable_operators;
  const DnsQuestion question4{host, RrType::a, for_key, fresh};
  const DnsQuestion question6{host, RrType::aaaa, for_key, fresh};
  auto ask4 = resolver.ask(question4);
  auto ask6 = resolver.ask(question6);
  const std::tuple<DnsReply, DnsReply> both = co_await (std::move(ask4) && std::move(ask6));
  co_return choose_targets(host, std::get<0>(both), std::get<1>(both), filter);
}

Result<ProxyName> parse_proxy(std::string_view text) {
  const auto invalid = failure("proxy \"{}\": expected host:port", escape(text));
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return invalid;
  const auto port = parse_decimal(text.substr(colon + 1), 65535);
  if (port.value_or(0) == 0) return invalid;
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (bracketed) host = host.substr(1, host.size() - 2);
  const bool has_colon = host.find(':') != std::string_view::npos;
  const bool known = is_ip_address(host) || Domain::parse(host).has_value();
  if (!known || has_colon != bracketed) return invalid;
  return ProxyName{std::string(host), static_cast<std::uint16_t>(port.value_or(0))};
}

}  // namespace sealane

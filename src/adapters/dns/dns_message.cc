// SPDX-License-Identifier: Apache-2.0
#include "adapters/dns/dns_message.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "adapters/dns/wire_name.h"

namespace sealane {
namespace {

/// A TTL with the sign bit set counts as zero (RFC 2181 8).
constexpr std::uint32_t kMaxTtl = 0x7fffffff;

std::uint32_t sane_ttl(std::uint32_t ttl) { return ttl > kMaxTtl ? 0 : ttl; }

DnsReply failed(std::string why) {
  DnsReply reply;
  reply.why = std::move(why);
  return reply;
}

/// One question's way through an answer section.
class Walk {
 public:
  Walk(const DnsMessage& message, const Domain& name, RrType type)
      : message_(message), at_(to_wire(name)), type_(type) {}

  DnsReply run() {
    if (type_ != RrType::cname && !follow_aliases()) return failed(problem_);
    bool found = false;
    for (const DnsRecord& record : message_.answer) {
      if (record.owner != at_ || record.type != static_cast<std::uint16_t>(type_)) continue;
      if (!take(record)) return failed("malformed " + std::string(name_of(type_)) + " record");
      found = true;
      use_ttl(record.ttl);
    }
    if (found && message_.rcode != 0) return failed("records beside NXDOMAIN");
    return found ? positive() : negative();
  }

 private:
  /// Moves `at_` to the end of the alias chain that starts there.
  bool follow_aliases() {
    std::vector<std::string> visited{at_};
    while (const DnsRecord* alias = alias_at(at_)) {
      if (!problem_.empty()) return false;
      if (visited.size() > kMaxAliases) return fail("alias chain too long");
      at_ = fold_wire(alias->name);
      if (std::find(visited.begin(), visited.end(), at_) != visited.end()) {
        return fail("alias loop");
      }
      visited.push_back(at_);
      reply_.aliases.push_back(presentation(alias->name));
      use_ttl(alias->ttl);
    }
    return problem_.empty();
  }

  const DnsRecord* alias_at(const std::string& owner) {
    const DnsRecord* found = nullptr;
    for (const DnsRecord& record : message_.answer) {
      if (record.owner != owner || record.type != static_cast<std::uint16_t>(RrType::cname)) {
        continue;
      }
      if (found != nullptr && fold_wire(found->name) != fold_wire(record.name)) {
        fail("several aliases of one name");
      }
      found = &record;
    }
    return found;
  }

  bool fail(std::string problem) {
    problem_ = std::move(problem);
    return false;
  }

  void use_ttl(std::uint32_t ttl) { ttl_ = std::min(ttl_, sane_ttl(ttl)); }

  bool take(const DnsRecord& record) {
    switch (type_) {
      case RrType::a:
        return take_address<boost::asio::ip::address_v4>(record.rdata);
      case RrType::aaaa:
        return take_address<boost::asio::ip::address_v6>(record.rdata);
      case RrType::mx:
        reply_.mx.push_back({record.preference, presentation(record.name)});
        return true;
      case RrType::txt:
        reply_.txt.push_back(record.rdata);
        return true;
      case RrType::tlsa:
        take_tlsa(record.rdata);
        return true;
      case RrType::cname:
        return take_cname(record);
    }
    return false;
  }

  template <class Address>
  bool take_address(const std::string& rdata) {
    typename Address::bytes_type octets;
    if (rdata.size() != octets.size()) return false;
    std::copy(rdata.begin(), rdata.end(), octets.begin());
    if (reply_.addresses.size() < kMaxAddresses) reply_.addresses.push_back(Address(octets));
    return true;
  }

  /// An unusable record still counts as being there: TLS is mandatory then (RFC 7672 2.2).
  void take_tlsa(const std::string& rdata) {
    const std::vector<std::uint8_t> octets(rdata.begin(), rdata.end());
    if (auto record = parse_tlsa_rdata(octets)) {
      reply_.tlsa.push_back(std::move(*record));
      return;
    }
    std::array<std::uint8_t, 3> head{};
    std::copy_n(octets.begin(), std::min(head.size(), octets.size()), head.begin());
    reply_.tlsa.push_back({head[0], head[1], head[2], {}});
  }

  bool take_cname(const DnsRecord& record) {
    const std::string target = presentation(record.name);
    if (!reply_.aliases.empty() && reply_.aliases.front() != target) return false;
    reply_.aliases = {target};
    if (auto name = Domain::parse(target)) reply_.cname = std::move(*name);
    return true;
  }

  DnsReply positive() {
    reply_.status = DnsStatus::ok;
    reply_.secure = message_.authentic;
    reply_.ttl = std::chrono::seconds{ttl_};
    return std::move(reply_);
  }

  DnsReply negative() {
    const bool nxdomain = message_.rcode == static_cast<std::uint16_t>(Rcode::nx_domain);
    // An alias whose end is neither shown nor denied: nothing was found out.
    if (!reply_.aliases.empty() && !nxdomain && !message_.negative_ttl) {
      return failed("alias leads nowhere");
    }
    reply_.status = nxdomain ? DnsStatus::nxdomain : DnsStatus::nodata;
    reply_.secure = message_.authentic;
    reply_.ttl = std::chrono::seconds{std::min(ttl_, sane_ttl(message_.negative_ttl.value_or(0)))};
    return std::move(reply_);
  }

  const DnsMessage& message_;
  std::string at_;
  RrType type_;
  std::uint32_t ttl_ = kMaxTtl;
  DnsReply reply_;
  std::string problem_;
};

}  // namespace

DnsReply read_reply(const DnsMessage& message, const Domain& name, RrType type) {
  if (message.rcode != static_cast<std::uint16_t>(Rcode::no_error) &&
      message.rcode != static_cast<std::uint16_t>(Rcode::nx_domain)) {
    return failed(rcode_text(message.rcode));
  }
  if (message.truncated) return failed("truncated reply");
  if (message.malformed) return failed("malformed reply");
  if (message.question_name != to_wire(name) || message.question_class != kClassInternet ||
      message.question_type != static_cast<std::uint16_t>(type)) {
    return failed("reply to another question");
  }
  return Walk(message, name, type).run();
}

std::string rcode_text(std::uint16_t rcode) {
  constexpr std::array<std::string_view, 6> kNames{"NOERROR",  "FORMERR", "SERVFAIL",
                                                   "NXDOMAIN", "NOTIMP",  "REFUSED"};
  return rcode < kNames.size() ? std::string(kNames[rcode]) : fmt::format("RCODE {}", rcode);
}

}  // namespace sealane

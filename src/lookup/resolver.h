// SPDX-License-Identifier: Apache-2.0
// Port: validated DNS.  "Failed" is a status of its own and never an empty answer.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/task.h"
#include "policy/domain.h"
#include "policy/tlsa.h"

namespace sealane {

enum class RrType : std::uint16_t { a = 1, cname = 5, mx = 15, txt = 16, aaaa = 28, tlsa = 52 };
std::string_view name_of(RrType type);

/// The address families in which hosts are reached (resolver.families).
enum class Families { any, ipv4, ipv6 };

struct DnsQuestion {
  Domain name;
  RrType type;
  /// On whose behalf (the next-hop): questions are served in turn over these (fairness).
  std::string for_key;
  /// Look again: what is remembered will not do, and nothing of the answer is remembered.
  bool fresh = false;
};

enum class DnsStatus { ok, nodata, nxdomain, failed };

struct MxRecord {
  std::uint16_t preference = 0;
  /// The target in presentation form without the root dot, escaped as RFC 4343 does and not yet
  /// checked; "." is the root (null MX).
  std::string target;
  friend bool operator==(const MxRecord&, const MxRecord&) = default;
};

struct DnsReply {
  DnsStatus status = DnsStatus::failed;
  bool secure = false;          ///< the validating resolver vouches for all of it, denials too
  std::chrono::seconds ttl{0};  ///< how long this may be used from now on; 0 = once
  std::string why;              ///< failed: "SERVFAIL", "timeout", …; a word for a reason text
  bool own_fault = false;       ///< failed because of us: no resolver answers, queue full
  std::vector<std::string> aliases;  ///< CNAME targets in order, presentation form, unchecked
  std::vector<boost::asio::ip::address> addresses;
  std::vector<MxRecord> mx;
  std::vector<std::string> txt;  ///< one string per record, its character-strings joined
  /// One per record in wire order of appearance; RDATA below four octets is kept with empty data
  /// (it is there, and unusable).
  std::vector<TlsaRecord> tlsa;
  /// With RrType::cname: the target if it is a valid name.
  std::optional<Domain> cname;

  bool failed() const { return status == DnsStatus::failed; }
  bool negative() const { return status == DnsStatus::nodata || status == DnsStatus::nxdomain; }
};

/// Lives on the lookup thread; ask() is called there and completes there.  Never throws for
/// anything that comes from the network; always completes within the resolver's time budget
/// (10 s from the first send, 5 s in the queue before).
class Resolver {
 public:
  virtual ~Resolver() = default;
  virtual Task<DnsReply> ask(DnsQuestion question) = 0;
};

}  // namespace sealane

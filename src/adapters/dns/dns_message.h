// SPDX-License-Identifier: Apache-2.0
// What a resolver sent, and what it means for one question.  No getdns in here: pure values.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lookup/resolver.h"

namespace sealane {

/// Longest alias chain that is followed (conformance 6; validating resolvers stop at 8 to 16, and
/// some of them hand out the part they have).
inline constexpr std::size_t kMaxAliases = 8;
/// Most addresses kept of a set: nobody tries more than a few.  Every other set is kept whole,
/// since nobody may decide on a part of it; a message has at most 64 KiB.
inline constexpr std::size_t kMaxAddresses = 64;

inline constexpr std::uint16_t kClassInternet = 1;
inline constexpr std::uint16_t kTypeSoa = 6;

enum class Rcode : std::uint16_t { no_error = 0, serv_fail = 2, nx_domain = 3, refused = 5 };

struct DnsRecord {
  std::string owner;  ///< wire form, folded
  std::uint16_t type = 0;
  std::uint32_t ttl = 0;
  std::string rdata;             ///< as sent; of TXT: the character-strings joined
  std::string name;              ///< CNAME target, MX exchange: wire form in the sender's case
  std::uint16_t preference = 0;  ///< MX
};

struct DnsMessage {
  std::uint16_t rcode = 0;
  bool truncated = false;
  bool authentic = false;     ///< the AD bit, whoever set it
  bool malformed = false;     ///< some part of it could not be read
  std::string question_name;  ///< wire form, folded
  std::uint16_t question_type = 0;
  std::uint16_t question_class = 0;
  std::vector<DnsRecord> answer;              ///< class IN only
  std::optional<std::uint32_t> negative_ttl;  ///< min(ttl, minimum) of the SOA in authority
};

/// Reads a message as the reply to one question.  `secure` is the AD bit of the message: whether
/// the sender is to be believed is the caller's matter.  `ttl` is the smallest of what was used,
/// or that of the denial (zero without a SOA), before any cap or floor.  Never throws.
DnsReply read_reply(const DnsMessage& message, const Domain& name, RrType type);

/// "SERVFAIL", "REFUSED", "RCODE 11".
std::string rcode_text(std::uint16_t rcode);

}  // namespace sealane

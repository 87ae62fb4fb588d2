// SPDX-License-Identifier: Apache-2.0
#include "lookup/sts_txt.h"

#include <chrono>
#include <utility>

namespace sealane {

Task<DnsReply> ask_sts_txt(Resolver& resolver, Domain domain, bool fresh) {
  DnsReply reply;
  if (const auto owner = domain.below("_mta-sts")) {
    DnsQuestion question{*owner, RrType::txt, domain.text(), fresh};
    reply = co_await resolver.ask(std::move(question));
  } else {
    reply.status = DnsStatus::nxdomain;  // too long to exist
    reply.ttl = std::chrono::hours{1};
  }
  co_return reply;
}

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
#include "server/mta_reply.h"

#include "server/exim_reply.h"
#include "server/postfix_reply.h"

namespace sealane {

std::string mta_reply(const Decision& decision, Dialect dialect, std::string_view domain_text) {
  if (dialect == Dialect::exim) return exim_reply(decision, domain_text);
  return postfix_reply(decision, dialect, domain_text);
}

}  // namespace sealane

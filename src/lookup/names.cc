// SPDX-License-Identifier: Apache-2.0
// The words for the enumerations of the ports.
#include "lookup/policy_fetcher.h"
#include "lookup/resolver.h"

namespace sealane {

std::string_view name_of(RrType type) {
  switch (type) {
    case RrType::a:
      return "A";
    case RrType::cname:
      return "CNAME";
    case RrType::mx:
      return "MX";
    case RrType::txt:
      return "TXT";
    case RrType::aaaa:
      return "AAAA";
    case RrType::tlsa:
      return "TLSA";
  }
  return "?";
}

std::string_view name_of(FetchProblem problem) {
  switch (problem) {
    case FetchProblem::dns:
      return "dns";
    case FetchProblem::address:
      return "address";
    case FetchProblem::connect:
      return "connect";
    case FetchProblem::tls:
      return "tls";
    case FetchProblem::status:
      return "status";
    case FetchProblem::redirect:
      return "redirect";
    case FetchProblem::media_type:
      return "media-type";
    case FetchProblem::too_large:
      return "too-large";
    case FetchProblem::protocol:
      return "protocol";
    case FetchProblem::timeout:
      return "timeout";
    case FetchProblem::own:
      return "own";
  }
  return "?";
}

}  // namespace sealane

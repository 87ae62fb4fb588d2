// SPDX-License-Identifier: Apache-2.0
// policy.default-level: what "not found" means in the MTA.  Postfix's own default level replaces
// an answer "dane" where it is the stricter of the two (docs/decision.md, "The default level").
#include <algorithm>

#include "policy/situation.h"

namespace sealane {
namespace {

constexpr std::string_view kLabel = "default-level";

Decision changed(Decision decision, Action action, std::string text) {
  decision.action = action;
  note(decision, kLabel, std::move(text));
  return decision;
}

/// The failing hosts cannot be reached at all, and have not been for long enough.
bool only_unreachable(const Situation& s) {
  return std::all_of(s.live.begin(), s.live.end(), [](const HostFinding* host) {
    return host->state != HostState::err || (host->address_failed && host->address_bound_reached);
  });
}

/// For a default that demands TLS of every host.  "Not found" must not let a DANE host be used
/// without DANE, nor one whose TLSA lookup failed.
Decision beside_mandatory_tls(Decision decision, const Situation& s) {
  if (s.dane == DaneClass::enc || s.dane == DaneClass::ins) {
    return changed(std::move(decision), Action::not_found, "the default level is not lower");
  }
  if (s.any(HostState::dane)) {
    return changed(std::move(decision), Action::dane_only,
                   "only hosts with DANE: the others would fall below the default level");
  }
  if (only_unreachable(s)) {
    return changed(std::move(decision), Action::not_found,
                   "the failing MX hosts have no address to be found; the default level holds");
  }
  decision.reason = host_errors(s);
  return changed(std::move(decision), Action::temporary,
                 "the failing MX host may have DANE, which the default level would pass over");
}

}  // namespace

Decision with_default_level(Decision decision, const Situation& s) {
  if (decision.action != Action::dane) return decision;
  switch (s.input.settings.default_level) {
    case DefaultLevel::none:
    case DefaultLevel::may:
    case DefaultLevel::dane:
      return decision;
    case DefaultLevel::dane_only:
      return changed(std::move(decision), Action::not_found, "the default level is dane-only");
    case DefaultLevel::encrypt:
    case DefaultLevel::fingerprint:
    case DefaultLevel::verify:
    case DefaultLevel::secure:
      return beside_mandatory_tls(std::move(decision), s);
  }
  return decision;
}

}  // namespace sealane

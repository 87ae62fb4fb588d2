// SPDX-License-Identifier: Apache-2.0
// The decision: what a sender must do with a destination, and why.
// decide() is pure: values in, one Decision out.  The rows are those of docs/decision.md.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/dane.h"
#include "policy/next_hop.h"
#include "policy/override.h"
#include "policy/sts_finding.h"

namespace sealane {

/// Who asks, and therefore what can be expressed.  Formatting is each front end's own work.
enum class Dialect {
  postfix,         ///< smtp_tls_policy_maps, Postfix >= 3.4: per next-hop, no MX filter
  postfix_tlsrpt,  ///< the same for Postfix >= 3.10.5: names the MX hosts that may be used
  postfix_pins,    ///< for a Postfix whose own resolver does not validate
  requiretls,      ///< smtp_requiretls_policy of Postfix >= 3.11
  sendmail_sts,    ///< Sendmail FEATURE(sts), which does DANE itself
  exim,            ///< readsocket; DANE per host is Exim's own
};
std::string_view name_of(Dialect dialect);

/// The level that applies in the MTA when we say "not found".
enum class DefaultLevel { none, may, encrypt, dane, dane_only, fingerprint, verify, secure };

struct DecisionSettings {
  DefaultLevel default_level = DefaultLevel::may;
  bool insecure_mx_may = false;  ///< policy.insecure-mx = may: D-INS is no reason for DANE
  bool observe = false;          ///< policy.mode = observe
};

struct RequestFlags {
  bool requiretls = false;       ///< Exim and CLI only
  bool tls_required_no = false;  ///< the message says "TLS-Required: no" (RFC 8689)
  friend bool operator==(const RequestFlags&, const RequestFlags&) = default;
};

enum class Action {
  not_found,  ///< nothing was promised; the MTA's own default applies
  may,        ///< opportunistic, said explicitly
  encrypt,    ///< TLS, unauthenticated
  dane,       ///< the MTA decides per host
  dane_only,  ///< only hosts with usable TLSA
  sts,        ///< PKIX, names by the policy: `patterns`, or only `hosts` if `restricted`
  pins,       ///< only the keys in `fingerprints`
  fixed,      ///< the operator's words: Override::postfix_reply or exim_reply
  temporary,  ///< could not find out: `reason`
};
std::string_view name_of(Action action);

enum class Notice {
  sts_conflict,          ///< row 10: DANE rules, but a host is not in the policy
  preference_inverted,   ///< MIXED: a worse MX with DANE outranks a better one without
  sts_match_restricted,  ///< MIXED without filter: STS|N by match alone
  txt_error_bound,       ///< row 7: TXT fails beyond the bound, treated as none
  fetch_failed,          ///< row 6
  null_mx,
  overridden,
  observed,
  mx_mismatch,  ///< an MX name that the policy does not allow
};
std::string_view name_of(Notice notice);

/// One step of the way to the decision.
struct Reason {
  std::string row;   ///< "1" … "35", "16a", "MIXED"; empty for a fact
  std::string text;  ///< one sentence
};

struct Decision {
  Action action = Action::temporary;
  DaneClass dane = DaneClass::fail;
  StsClass sts = StsClass::none;
  bool restricted = false;          ///< STS|N: `hosts` instead of `patterns`
  std::vector<MxPattern> patterns;  ///< with sts: what the policy allows
  std::vector<Domain> hosts;        ///< with sts, restricted: the hosts that may be used
  std::vector<Domain> dane_hosts;   ///< Exim, row 17 and MIXED: DANE and ERR hosts, exempt
  bool dane_possible = true;        ///< Exim: false with D-ENC and dane=off: Exim must not try DANE
  bool dane_natively = false;  ///< Exim: a D row; the level is only a floor under Exim's own DANE
  std::vector<std::string> fingerprints;  ///< with pins: SHA-256, lower-case hex
  bool report_testing = false;            ///< row 4: the level plus the policy, for a report
  std::optional<StsPolicy> policy;        ///< with sts or report_testing: for TLSRPT
  std::string policy_domain;
  bool requiretls_ok = false;  ///< row 34: D-ALL or S-ENF, and the answer enforces it
  std::string fixed_reply;     ///< with fixed
  std::string reason;          ///< with temporary: a sentence a postmaster can act on
  /// What could not be found out where the table goes on without it (rows 6, 7, 16): whoever must
  /// not send without authentication has to wait.  Empty: nothing.
  std::string doubt;
  bool waits_for_sts = false;      ///< the answer may change as soon as STS is settled
  std::optional<Action> would_be;  ///< observe: what would have been said
  std::vector<Notice> notices;
  std::string row;            ///< the row that decided; the trail has the way to it
  std::vector<Reason> trail;  ///< facts first, then rows in the order they were applied
  /// How long the answer may live: the minimum of all that it rests on, capped; 0 = used once.
  std::chrono::seconds ttl{0};
};

struct DecisionInput {
  NextHop next_hop;
  DaneFinding dane;
  StsFinding sts;
  Override override_;
  Dialect dialect = Dialect::postfix;
  RequestFlags flags;
  DecisionSettings settings;
};

/// Decides.  Same inputs, same Decision.
Decision decide(const DecisionInput& input);

/// The answer to a key that names no destination (rows 29 and 30).
Decision decide(const NoNextHop& key);

/// Row 33 while nothing is known yet: "not found" at once; the lookup runs behind it, and
/// decide() then tells what would have been said.  `what` is the destination's, if any.
Decision observed_at_once(const Override& what = {});

/// Row 32 with a fixed reply for this asker, which needs no lookup; nothing if there is none.
std::optional<Decision> fixed_at_once(const Override& what, Dialect dialect);

/// Row 35: the sender waives TLS, which needs no lookup; nothing if the rows before it decide.
std::optional<Decision> waived_at_once(const Override& what, Dialect dialect,
                                       const RequestFlags& flags);

/// A temporary answer because of ourselves (row 31): overload, own network, not yet ready.
Decision temporary_failure(std::string reason);

/// "Not found" while observing: each destination is looked at once in this time.
inline constexpr std::chrono::seconds kObservedTtl{60};
inline constexpr std::chrono::seconds kMaxAnswerTtl{300};    ///< any answer
inline constexpr std::chrono::seconds kMaxTemporaryTtl{30};  ///< a temporary one
/// A temporary one because of ourselves: we may be well again at once, but a storm of questions
/// must not each start the work anew.
inline constexpr std::chrono::seconds kOwnFaultTtl{1};

}  // namespace sealane

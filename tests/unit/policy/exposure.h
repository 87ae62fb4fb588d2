// SPDX-License-Identifier: Apache-2.0
// What an answer exposes, by what Postfix does with it and not by what decide() meant.
#pragma once

#include <array>
#include <map>
#include <string>
#include <vector>

#include "policy/decision.h"
#include "server/postfix_grammar.h"

namespace sealane {

/// The level that is in force for a destination after the reply; `deferred`: no delivery at all.
enum class InForce { none, may, encrypt, fingerprint, dane, dane_only, verify, secure, deferred };

/// A question with its reply as Postfix reads it.
struct Answered {
  Decision decision;
  std::string reply;
  PostfixAnswer read;
  InForce in_force = InForce::deferred;
};

/// Asks; fails when Postfix would not take the reply.
Result<Answered> ask(const DecisionInput& input);

/// Exposure of a host: clear text 2, TLS without authentication 1, authenticated or refused 0.
/// `validates`: Postfix's own resolver does DNSSEC, which `dane` rests on.
int exposure(InForce level, HostState state, bool validates);

/// Postfix's DANE works in every dialect but the one made for a resolver that does not validate.
inline bool validates(Dialect dialect) { return dialect != Dialect::postfix_pins; }

/// True when a "match=" item accepts a certificate for `host`: ".b" at any depth.
bool covers(const std::string& match_item, const std::string& host);

/// Property 2 and more: with S-ENF no host is used without authentication.  Empty when it holds.
std::string violates_enforce(const DecisionInput& input, const Answered& answered);
/// Property 3: with a secure MX no name covers a DANE or ERR host.  Empty when it holds.
std::string violates_dane_first(const DecisionInput& input, const Answered& answered);

/// What each host was promised under a secure MX: with DANE, or a failed TLSA lookup, it is used
/// with authentication or not at all; with unusable TLSA never in clear.  Empty when it holds.
std::string violates_promise(const DecisionInput& input, const Answered& answered);

/// Hosts, classes, asker and reply, on one line.
std::string shown(const DecisionInput& input, const std::string& reply);

/// Gives a host the state, with what belongs to it.
void set_state(HostFinding& host, HostState state);

/// Counterexamples of one property: the first few and the number of all.
class Counterexamples {
 public:
  void add(std::string text);
  std::size_t count() const { return count_; }
  /// The kept ones, one a line.
  std::string text() const;

 private:
  static constexpr std::size_t kKept = 5;
  std::size_t count_ = 0;
  std::vector<std::string> kept_;
};

}  // namespace sealane

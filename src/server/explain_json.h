// SPDX-License-Identifier: Apache-2.0
// An explanation as JSON (docs/formats.md, "GET /v1/explain").  Whatever a domain publishes comes
// out as printable ASCII, and what it may publish in any length is bounded.  Pure.
#pragma once

#include <boost/json/fwd.hpp>
#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "lookup/explanation.h"

namespace sealane {

/// The bounds keep an explanation with a live look below 4 MiB, which is what the client takes.
/// Each list tells in NAME_total how many there are.
inline constexpr std::size_t kMaxExplainedAddresses = 50;  ///< of a host
inline constexpr std::size_t kMaxExplainedAliases = 20;    ///< of a host; DNS gives up before
inline constexpr std::size_t kMaxExplainedTlsa = 20;       ///< of a host: two roll-overs at once
inline constexpr std::size_t kMaxExplainedTlsaData = 512;  ///< octets of one: a certificate is cut
inline constexpr std::size_t kMaxExplainedTexts = 20;      ///< TXT records
inline constexpr std::size_t kMaxExplainedText = 1024;     ///< octets of one
inline constexpr std::size_t kMaxExplainedLines = 500;     ///< of a policy
inline constexpr std::size_t kMaxExplainedLine = 512;      ///< octets of one
inline constexpr std::size_t kMaxExplainedMx = 500;        ///< patterns of a policy
inline constexpr std::size_t kMaxExplainedTrail = 64;      ///< steps to a decision
inline constexpr std::size_t kMaxExplainedStep = 2048;     ///< octets of one
inline constexpr std::size_t kMaxDifferences = 200;

/// One line of "answers": the verdict of a dialect in the words of its MTA.
struct ExplainedAnswer {
  std::vector<std::string> names;  ///< as the MTA asks for it; the dialect's own first
  Verdict verdict;
  std::string reply;                      ///< exactly what the MTA gets now
  std::chrono::seconds ttl{0};            ///< for which it holds
  bool kept = false;                      ///< it was found earlier and is still valid
  std::optional<std::string> decided;     ///< kept, and by now another one would be found
  std::optional<std::string> unobserved;  ///< observing: what would be said
  std::optional<std::string> at_expiry;   ///< when the policy has run out
};

/// An explanation with its words.
struct ExplainedLook {
  const Look* look = nullptr;
  std::vector<ExplainedAnswer> answers;
};

boost::json::object explanation_json(const Explanation& explanation, const ExplainedLook& known,
                                     const std::optional<ExplainedLook>& live,
                                     std::chrono::sys_seconds now);

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
// Whose mail must go to recipients that can be reached securely (docs/formats.md, "Access table"):
//
//   context=confidential                require         reason="data of patients"
//   sender=.board.example user=chair    require record  reason="decision of 2026-03-01"
//   any                                 record          reason="to see"
//
// Only the reading and matching; what follows is server/access_verdict.h.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "policy/domain.h"
#include "server/access_request.h"

namespace sealane {

inline constexpr std::size_t kMaxAccessFile = 1024 * 1024;  ///< octets
/// Rules at most: they are classes of senders, gone through one by one for each recipient.
inline constexpr std::size_t kMaxAccessRules = 1'000;
inline constexpr std::size_t kMaxAccessLine = 8'192;    ///< octets, as in the overrides
inline constexpr std::size_t kMaxAccessReason = 200;    ///< octets
inline constexpr std::size_t kMaxAccessProblems = 100;  ///< errors of one file that are told

/// A mail address, or a domain, or all domains below one.
struct AddressPattern {
  std::string local;      ///< lower-case; empty: any
  std::string domain;     ///< lower-case A-labels; empty: the address has none (`postmaster`)
  bool subtree = false;   ///< below `domain`, and not itself
  bool is_empty = false;  ///< the empty sender of bounces, `<>`

  bool matches(std::string_view address) const;
};

struct AccessRule {
  // Conditions; all that are given must hold.
  std::vector<std::string> contexts;
  std::vector<std::string> users;
  std::vector<AddressPattern> senders;
  std::vector<AddressPattern> recipients;
  // What follows.
  bool require = false;
  bool record = false;
  std::string reason;
  int line = 0;  ///< of the file, from 1

  bool matches(const AccessRequest& request) const;
  bool matches_sender(const AccessRequest& request) const;
};

class AccessTable {
 public:
  AccessTable() = default;
  explicit AccessTable(std::vector<AccessRule> rules) : rules_(std::move(rules)) {}

  /// The first rule that fits; null if there is none.  Valid as long as the table is.
  const AccessRule* find(const AccessRequest& request) const;
  /// The first rule that demands security of this sender, to whatever recipient; null if there is
  /// none.
  const AccessRule* demand_of_sender(const AccessRequest& request) const;
  const std::vector<AccessRule>& rules() const { return rules_; }

 private:
  std::vector<AccessRule> rules_;
};

/// Reads a table.  The errors, each with line, word and remedy, are for people.  Pure.
Result<AccessTable, std::vector<std::string>> parse_access_table(std::string_view text,
                                                                 std::string_view file);

/// Reads the file; no name is an empty table.  Blocks.
Result<AccessTable, std::vector<std::string>> load_access_table(const std::string& path);

}  // namespace sealane

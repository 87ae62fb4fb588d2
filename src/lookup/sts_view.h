// SPDX-License-Identifier: Apache-2.0
// What is known of a domain's MTA-STS at one moment, why, and what comes next: for people.
// The rules that make a class of it are lookup/sts_entry.h.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lookup/policy_store.h"
#include "lookup/sts_entry.h"
#include "policy/sts_finding.h"

namespace sealane {

/// Where the policy that is used comes from.
enum class PolicySource {
  none,     ///< there is none
  fetched,  ///< over HTTPS, for this look
  memory,   ///< over HTTPS, earlier in this process
  store,    ///< over HTTPS, by an earlier process; read from the store
};
std::string_view name_of(PolicySource source);

struct StsView {
  TxtState txt = TxtState::unknown;
  std::string txt_problem;                      ///< escaped
  std::vector<std::string> txt_records;         ///< as published, not escaped
  std::optional<std::chrono::seconds> txt_age;  ///< since it was looked up; absent: not yet
  std::chrono::seconds txt_ttl{0};              ///< as the resolver said then

  StsMemory memory;                 ///< ids and streaks of failures; the policy as fetched
  std::optional<StsPolicy> policy;  ///< also one that has run out and is being fetched anew
  PolicySource source = PolicySource::none;
  std::chrono::seconds policy_age{0};
  std::chrono::seconds policy_left{0};               ///< below 0: it has run out
  std::optional<std::string> own_fault;              ///< the last fetch failed because of us
  std::optional<std::string> unreadable;             ///< why the stored policy cannot be read
  std::optional<std::chrono::seconds> next_fetch;    ///< of a known policy, or after a failure
  std::optional<std::chrono::seconds> second_fetch;  ///< after a new id
  bool fetching = false;
};

/// A finding and where it comes from.
struct StsSight {
  StsFinding finding;
  StsView view;
};

}  // namespace sealane

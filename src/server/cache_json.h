// SPDX-License-Identifier: Apache-2.0
// What is remembered of a domain, as JSON (docs/formats.md, "Admin API").  Pure.
#pragma once

#include <boost/json/object.hpp>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "lookup/policy_store.h"
#include "policy/sts_policy.h"

namespace sealane {

/// At which moment, and since when the daemon runs (or its clock was set).
struct CacheMoment {
  std::chrono::sys_seconds now;
  std::chrono::seconds running{0};
};

/// One line of a list.  `with_policy`: the policy's text as well.
boost::json::object summary_of(const Domain& domain, const StsMemory& memory,
                               const CacheMoment& moment, bool with_policy);

/// All of it.
boost::json::object details_of(const Domain& domain, const StsMemory& memory,
                               const CacheMoment& moment);

boost::json::object json_of(const DaneMemory& memory);

/// The mode of a stored policy; "unreadable" if it is none by the rules of today.
std::string_view mode_text(const StoredPolicy& policy);

}  // namespace sealane

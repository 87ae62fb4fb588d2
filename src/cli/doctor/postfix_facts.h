// SPDX-License-Identifier: Apache-2.0
// What Postfix says of itself, by postconf(1).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/doctor/facts.h"

namespace sealane::doctor {

/// Looks at the Postfix of this directory (empty: the one that postconf uses).  Nothing if there is
/// no postconf.  Runs programs and blocks; changes nothing.  Which tables are ours, and the ways to
/// them, is left to socket_ways.h.
std::optional<PostfixFacts> look_at_postfix(const std::string& config_dir);

/// "name = value" lines.
Parameters parse_parameters(std::string_view text);

Version parse_version(std::string_view text);

/// The delivery agents of master.cf; `lines` as `postconf -M` prints them, `overrides` as
/// `postconf -P` does.  `default_chroot`: what "-" means.
std::vector<Service> parse_services(std::string_view lines, const Parameters& overrides,
                                    bool default_chroot);

/// The tables of a value such as "hash:/etc/postfix/tls, socketmap:inet:127.0.0.1:8461:postfix".
std::vector<PolicyTable> parse_tables(std::string_view value);

/// The parameters of which `postconf` complained that nobody uses them.
std::vector<std::string> unused_parameters(std::string_view complaints);

}  // namespace sealane::doctor

// SPDX-License-Identifier: Apache-2.0
// `sealane doctor`: what is wrong with this installation, and what mends it.  Looks only, and needs
// no running daemon.
#pragma once

#include <functional>
#include <ostream>
#include <span>
#include <string>

#include "cli/doctor/facts.h"

namespace sealane {

/// Exit statuses of `sealane doctor`; scripts rely on them.
inline constexpr int kDoctorWell = 0;  ///< nothing worse than a note
inline constexpr int kDoctorIll = 1;
inline constexpr int kDoctorBlind = 3;  ///< there is no MTA to look at

/// What is looked at with the daemon's own means, as the daemon would look.
struct DoctorProbes {
  std::string resolv_conf;  ///< where the C library's name servers are
  std::function<doctor::ResolverFacts(const Config&)> resolvers;
  std::function<Families(const Config&)> families;
};

/// Runs `doctor [--postfix-config DIR] [--exim-config FILE] [--config FILE] [--admin unix:PATH]
/// [--json] [--list]`; `args` are the words behind the verb.  Runs postconf and exim.  Blocks.
/// Returns the exit status.
int doctor_command(std::span<const std::string> args, const DoctorProbes& probes, std::ostream& out,
                   std::ostream& err);

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
// `sealane doctor`, with the daemon's own resolver: cli/doctor.h does not see how the daemon makes
// one of its configuration.
#pragma once

#include <span>
#include <string>

namespace sealane {

/// Runs the verb; `args` are the words behind it.  Returns the exit status.
int run_doctor(std::span<const std::string> args);

}  // namespace sealane

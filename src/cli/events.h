// SPDX-License-Identifier: Apache-2.0
// `sealane events`: what happened to the protection of domains.
#pragma once

#include <boost/json/object.hpp>
#include <span>
#include <string>

#include "cli/console.h"
#include "cli/terminal.h"

namespace sealane {

/// Runs `events [DOMAIN] [--follow] [--last N] [--severity NAME] [--admin unix:PATH] [--json]`.
int events_command(std::span<const std::string> args, Console& console);

/// One event as a line, without its end.
std::string event_line(const boost::json::object& event, const Paint& paint);

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
// What this machine and the daemon on it say: CA certificates, clock, store, admin socket.
#pragma once

#include <string>

#include "cli/doctor/facts.h"

namespace sealane::doctor {

/// Counts the certificates of a PEM file.  Blocks.
CaFile read_ca_file(const std::string& path);

/// The CA certificates that the daemon judges policy hosts by.
CaFile ca_of(const Config& config);

/// Reads the clock; sets nothing.
ClockFacts look_at_clock();

/// Asks the daemon for its status.  Blocks, up to the patience of admin_client.h.
DaemonFacts ask_daemon(const std::string& address);

/// Whether a file of this name would be forgotten with the next restart of the machine.
bool is_volatile(const std::string& path);

/// The configuration, and the overrides that it names: what of it is wrong goes into the facts.
void read_configuration(Facts& facts);

}  // namespace sealane::doctor

// SPDX-License-Identifier: Apache-2.0
// Policies and domains brought along: `POST /v1/cache/import` and `POST /v1/cache/warm`.
// docs/formats.md, "Admin API".
#pragma once

#include <cstddef>

#include "server/admin_parts.h"

namespace sealane {

/// Octets of one request's lines; who has more sends it in parts.  64 connections hold 128 MiB.
inline constexpr std::size_t kMaxImportBody = 2 * 1024 * 1024;
/// Octets of one line: the longest policy, each octet of it escaped, fits.
inline constexpr std::size_t kMaxImportLine = 512 * 1024;
/// Lookups of one list of domains at a time, and begun in a second: mail goes first, and so many
/// name servers and policy hosts are not bothered by it.
inline constexpr std::size_t kWarmAtOnce = 16;
inline constexpr std::size_t kWarmPerSecond = 25;

void add_import_routes(HttpServer& server, AdminPartsPtr parts);

}  // namespace sealane

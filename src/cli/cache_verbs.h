// SPDX-License-Identifier: Apache-2.0
// The verbs below `sealane cache`.  `args` are the words behind the verb; each returns the exit
// status.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "cli/console.h"

namespace sealane {

using VerbWords = std::span<const std::string>;

inline constexpr std::string_view kCacheUsage =
    "Usage: sealane cache list [--mode MODE] [--failing] [--older-than SPAN] [--expires-in SPAN]\n"
    "                          [--after DOMAIN] [--limit N]\n"
    "       sealane cache show DOMAIN\n"
    "       sealane cache refresh DOMAIN\n"
    "       sealane cache purge DOMAIN [--force]\n"
    "       sealane cache stats\n"
    "       sealane cache warm FILE|-\n"
    "       sealane cache export\n"
    "       sealane cache import FILE|- [--from postfix-tlspol|mta-sts-resolver]\n"
    "       each with [--admin unix:PATH] [--json]; a SPAN is 90s, 30m, 12h, 7d, 2w\n";

int cache_list(VerbWords args, Console& console);
int cache_show(VerbWords args, Console& console);
int cache_refresh(VerbWords args, Console& console);
int cache_purge(VerbWords args, Console& console);
int cache_stats(VerbWords args, Console& console);
int cache_warm(VerbWords args, Console& console);
int cache_export(VerbWords args, Console& console);
int cache_import(VerbWords args, Console& console);

}  // namespace sealane

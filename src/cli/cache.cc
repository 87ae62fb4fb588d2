// SPDX-License-Identifier: Apache-2.0
#include "cli/cache.h"

#include <map>

#include "base/text.h"
#include "cli/ask.h"
#include "cli/cache_verbs.h"

namespace sealane {

int cache_command(std::span<const std::string> args, Console& console) {
  static const std::map<std::string, int (*)(VerbWords, Console&)> kVerbs{
      {"list", cache_list},     {"show", cache_show},    {"refresh", cache_refresh},
      {"purge", cache_purge},   {"stats", cache_stats},  {"warm", cache_warm},
      {"export", cache_export}, {"import", cache_import}};
  if (args.empty()) return wrong_usage(console.err, "cache", "a verb is missing", kCacheUsage);
  if (args.front() == "--help" || args.front() == "-h") {
    console.out << kCacheUsage;
    return kFine;
  }
  const auto verb = kVerbs.find(args.front());
  if (verb != kVerbs.end()) return verb->second(args.subspan(1), console);
  return wrong_usage(console.err, "cache", "there is no verb " + escape(args.front()), kCacheUsage);
}

}  // namespace sealane

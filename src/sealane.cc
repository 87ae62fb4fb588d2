// SPDX-License-Identifier: Apache-2.0
// `sealane`: asks the daemon, finds what is wrong with it, and judges what a domain publishes.
#include <chrono>
#include <csignal>
#include <exception>
#include <iostream>
#include <span>
#include <string>
#include <vector>

#include "base/text.h"
#include "cli/cache.h"
#include "cli/console.h"
#include "cli/events.h"
#include "cli/explain.h"
#include "cli/export.h"
#include "cli/lint.h"
#include "cli/override.h"
#include "cli/query.h"
#include "cli/status.h"
#include "sealane_doctor.h"

namespace {

constexpr const char* kUsage =
    "Usage: sealane VERB [ARGUMENT]...\n"
    "\n"
    "  query KEY [--dialect NAME] [--requiretls] [--tls-required-no]\n"
    "      what the daemon answers to a next-hop; exit 0 OK, 1 NOTFOUND, 3 TEMP\n"
    "  explain KEY [--dialect NAME] [--live]\n"
    "      why it answers so; --live: what new lookups find, and the difference\n"
    "  status [--watch]\n"
    "      how the daemon does; exit 1 if something is wrong\n"
    "  events [DOMAIN] [--follow] [--last N] [--severity NAME]\n"
    "      what happened to the protection of domains\n"
    "  cache list [--mode MODE] [--failing] [--older-than SPAN] [--expires-in SPAN]\n"
    "             [--after DOMAIN] [--limit N]\n"
    "  cache show DOMAIN\n"
    "  cache refresh DOMAIN\n"
    "  cache purge DOMAIN [--force]\n"
    "  cache stats\n"
    "      the memory of MTA-STS policies\n"
    "  cache warm FILE|-\n"
    "  cache export\n"
    "  cache import FILE|- [--from postfix-tlspol|mta-sts-resolver]\n"
    "      fills it ahead of mail, or from another one\n"
    "  export --format postfix-texthash|json [--output FILE]\n"
    "      the enforced policies, for mail servers that can only read a file\n"
    "  lint sts-policy FILE|- [--json]\n"
    "  lint sts-record TEXT [--json]\n"
    "  lint tlsa \"U S M HEX\"... [--json]\n"
    "      judges what a domain publishes, offline; exit 0 valid, 1 not\n"
    "  override list [--file FILE | --config FILE] [--json]\n"
    "  override add PLACE ACTION... [until=DATE] reason=TEXT\n"
    "  override remove PLACE\n"
    "      the operator's own policies; exit 0 done, 1 refused, 3 no file\n"
    "  doctor [--postfix-config DIR] [--exim-config FILE] [--config FILE]\n"
    "         [--admin unix:PATH] [--json] [--list]\n"
    "      what is wrong with this installation, and what mends it; exit 0 nothing,\n"
    "      1 something, 3 there is no MTA\n"
    "  --help, --version\n"
    "\n"
    "All but lint and override ask the daemon: [--admin unix:PATH] [--json]\n";

constexpr int kInternalError = 3;

int run(std::span<const std::string> words) {
  const std::string verb = words.empty() ? "" : words.front();
  if (verb == "--help" || verb == "-h" || verb == "help") {
    std::cout << kUsage;
    return 0;
  }
  if (verb == "--version") {
    std::cout << "sealane " SEALANE_VERSION "\n";
    return 0;
  }
  const auto rest = words.empty() ? words : words.subspan(1);
  sealane::Console console = sealane::Console::standard();
  if (verb == "query") return sealane::query_command(rest, std::cout, std::cerr);
  if (verb == "explain") return sealane::explain_command(rest, console);
  if (verb == "status") return sealane::status_command(rest, console);
  if (verb == "events") return sealane::events_command(rest, console);
  if (verb == "cache") return sealane::cache_command(rest, console);
  if (verb == "export") return sealane::export_command(rest, console);
  if (verb == "lint") return sealane::lint_command(rest, std::cin, std::cout, std::cerr);
  if (verb == "doctor") return sealane::run_doctor(rest);
  if (verb == "override") {
    const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    return sealane::override_command(rest, now, std::cout, std::cerr);
  }
  if (!verb.empty()) std::cerr << "sealane: there is no verb " << sealane::escape(verb) << '\n';
  std::cerr << kUsage;
  return sealane::kWrongUsage;
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  try {
    const std::vector<std::string> words(argv + 1, argv + argc);
    return run(words);
  } catch (const std::exception& error) {
    std::cerr << "sealane: " << error.what() << '\n';
    return kInternalError;
  }
}

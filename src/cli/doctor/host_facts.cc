// SPDX-License-Identifier: Apache-2.0
#include "cli/doctor/host_facts.h"

#include <linux/magic.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/timex.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <memory>

#include "adapters/https/tls_client.h"
#include "base/file.h"
#include "base/text.h"
#include "cli/admin_client.h"
#include "server/override_loader.h"

namespace sealane::doctor {
namespace {

namespace json = boost::json;

/// Warnings of the daemon that are shown at most.
constexpr std::size_t kMaxWarnings = 20;

struct Free {
  void operator()(BIO* memory) const { BIO_free(memory); }
  void operator()(X509* certificate) const { X509_free(certificate); }
};

DaemonFacts read_status(DaemonFacts facts, const AdminAnswer& answer) {
  boost::system::error_code wrong;
  const json::value status = json::parse(answer.body, wrong);
  facts.answered = !wrong && answer.status == 200 && status.is_object();
  if (!facts.answered) {
    facts.problem = facts.address + ": the answer is not one of sealaned";
    return facts;
  }
  const json::value* problem = status.as_object().if_contains("tlsrpt");
  problem = problem && problem->is_object() ? problem->as_object().if_contains("problem") : nullptr;
  if (problem && problem->is_string()) facts.tlsrpt_problem = escape(problem->as_string());
  const json::value* warnings = status.as_object().if_contains("warnings");
  if (warnings == nullptr || !warnings->is_array()) return facts;
  for (const json::value& warning : warnings->as_array()) {
    const bool is_shown = warning.is_string() && facts.warnings.size() < kMaxWarnings;
    if (is_shown) facts.warnings.push_back(escape(std::string_view(warning.as_string())));
  }
  return facts;
}

}  // namespace

CaFile read_ca_file(const std::string& path) {
  CaFile file;
  file.path = path;
  const Result<std::string> text = read_file(path, kMaxCaFile);
  if (!text) {
    file.problem = text.error();
    return file;
  }
  const std::unique_ptr<BIO, Free> memory(
      BIO_new_mem_buf(text->data(), static_cast<int>(text->size())));
  for (;;) {
    // Skips what is no certificate, and takes "TRUSTED CERTIFICATE" as well.
    const std::unique_ptr<X509, Free> certificate(
        PEM_read_bio_X509_AUX(memory.get(), nullptr, nullptr, nullptr));
    if (!certificate) break;
    ++file.certificates;
    const bool is_over = X509_cmp_current_time(X509_get0_notAfter(certificate.get())) < 0;
    if (is_over) ++file.expired;
  }
  ERR_clear_error();
  if (file.certificates == 0) file.problem = path + ": there is no certificate in it";
  return file;
}

CaFile ca_of(const Config& config) {
  return read_ca_file(config.ca_file.empty() ? system_bundle() : config.ca_file);
}

ClockFacts look_at_clock() {
  ClockFacts facts;
  const auto today = std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now());
  facts.year = static_cast<int>(std::chrono::year_month_day{today}.year());
  timex state{};  // modes 0: only asks
  facts.synchronised = ::adjtimex(&state) != TIME_ERROR;
  return facts;
}

DaemonFacts ask_daemon(const std::string& address) {
  DaemonFacts facts;
  facts.address = address;
  const Result<AdminAnswer> answer = admin_get(address, "/v1/status");
  if (answer) return read_status(std::move(facts), *answer);
  facts.problem = answer.error();
  const std::string path =
      address.substr(std::min<std::size_t>(address.find(':') + 1, address.size()));
  facts.forbidden = ::access(path.c_str(), R_OK | W_OK) != 0 && errno == EACCES;
  return facts;
}

bool is_volatile(const std::string& path) {
  struct statfs system {};
  std::filesystem::path directory = std::filesystem::path(path).parent_path();
  // A directory that is not there yet will be made in the next one above.
  while (::statfs(directory.c_str(), &system) != 0) {
    if (errno != ENOENT || directory == directory.root_path()) return false;
    directory = directory.parent_path();
  }
  return system.f_type == TMPFS_MAGIC || system.f_type == RAMFS_MAGIC;
}

void read_configuration(Facts& facts) {
  CommandLine command_line;
  command_line.config_file = facts.config_file;
  std::error_code unknown;
  const bool is_absent = std::filesystem::symlink_status(facts.config_file, unknown).type() ==
                         std::filesystem::file_type::not_found;
  // The daemon does without its default file as well.
  if (is_absent && facts.config_file == kDefaultConfigFile) command_line.config_file.reset();
  Result<Config> config = load_config(command_line);
  if (!config) facts.config_problem = config.error();
  facts.config = config ? *std::move(config) : *make_config({}, {});
  const Result<std::string> text = read_file(facts.config_file, kMaxConfigFile);
  if (text)
    facts.settings =
        parse_config_text(*text, facts.config_file).value_or(std::vector<ConfigSetting>{});
  if (facts.config.overrides_file.empty()) return;
  const auto overrides = load_overrides(facts.config.overrides_file);
  if (!overrides) facts.override_problems = overrides.error();
}

}  // namespace sealane::doctor

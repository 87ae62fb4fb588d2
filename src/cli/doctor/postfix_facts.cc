// SPDX-License-Identifier: Apache-2.0
#include "cli/doctor/postfix_facts.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <utility>

#include "base/file.h"
#include "base/text.h"
#include "cli/doctor/child.h"
#include "cli/doctor/host_facts.h"

namespace sealane::doctor {
namespace {

/// Largest number in a version.
constexpr std::uint64_t kMaxVersionNumber = 100'000;
/// Largest resolv.conf, in octets: the C library reads a handful of lines.
constexpr std::size_t kMaxResolvConf = 1024 * 1024;

/// Everything that a check reads.
constexpr std::array kParameters{"mail_version",
                                 "compatibility_level",
                                 "queue_directory",
                                 "mail_owner",
                                 "inet_protocols",
                                 "enable_idna2003_compatibility",
                                 "smtputf8_enable",
                                 "ignore_mx_lookup_error",
                                 "relayhost",
                                 "default_transport",
                                 "transport_maps",
                                 "sender_dependent_relayhost_maps",
                                 "use_srv_lookup",
                                 "smtp_dns_support_level",
                                 "smtp_dns_resolver_options",
                                 "smtp_host_lookup",
                                 "smtp_use_tls",
                                 "smtp_enforce_tls",
                                 "smtp_tls_per_site",
                                 "smtp_tls_policy_maps",
                                 "smtp_tls_security_level",
                                 "smtp_tls_wrappermode",
                                 "smtp_tls_CAfile",
                                 "smtp_tls_CApath",
                                 "smtp_tls_dane_insecure_mx_policy",
                                 "smtp_tls_enforce_sts_mx_patterns",
                                 "smtp_tls_fingerprint_digest",
                                 "smtp_tls_mandatory_protocols"};

std::vector<std::string> postconf(const std::string& program, const std::string& config_dir,
                                  std::vector<std::string> rest) {
  std::vector<std::string> argv{program};
  if (!config_dir.empty()) argv.insert(argv.end(), {"-c", config_dir});
  argv.insert(argv.end(), rest.begin(), rest.end());
  return argv;
}

/// "postconf: fatal: open /etc/postfix/main.cf: No such file or directory"
std::string complaint_in(const ChildOutput& output) {
  for (const std::string_view line : split(output.err, '\n')) {
    const auto at = line.find("fatal: ");
    if (at != std::string_view::npos) return escape(line.substr(at + 7));
  }
  return fmt::format("postconf ends with status {}", output.status);
}

/// A bare "-" stood for chroot until Postfix 3.0; newer ones know by compatibility_level.
bool dash_means_chroot(std::string_view compatibility_level) {
  return parse_version(compatibility_level) < Version{1, 0, 0};
}

bool names_smtp_client(std::string_view program) { return program == "smtp" || program == "lmtp"; }

PolicyTable parse_table(std::string_view text) {
  PolicyTable table;
  table.text = text;
  constexpr std::string_view kProxy = "proxy:";
  table.proxied = text.starts_with(kProxy);
  if (table.proxied) text.remove_prefix(kProxy.size());
  const auto colon = std::min(text.find(':'), text.size());
  table.type = text.substr(0, colon);
  if (table.type != "socketmap" || colon == text.size()) return table;
  const std::string_view place = text.substr(colon + 1);
  // The map name is what follows the last colon, as in Postfix.
  const auto last = place.rfind(':');
  if (last == std::string_view::npos) return table;
  table.address = place.substr(0, last);
  table.map_name = place.substr(last + 1);
  return table;
}

void note_chroot(PostfixFacts& facts) {
  const std::string queue(facts.value("queue_directory"));
  const std::string_view ca_path = facts.value("smtp_tls_CApath");
  std::error_code problem;
  facts.ca_path_in_chroot =
      !facts.any_chroot() || std::filesystem::is_directory(queue + std::string(ca_path), problem);
  Result<std::string> text = read_file(queue + "/etc/resolv.conf", kMaxResolvConf);
  if (text) facts.chroot_resolv_conf = *std::move(text);
}

}  // namespace

Parameters parse_parameters(std::string_view text) {
  Parameters found;
  for (const std::string_view line : split(text, '\n')) {
    const auto equals = line.find(" =");
    if (equals == std::string_view::npos) continue;
    found[std::string(line.substr(0, equals))] = trim(line.substr(equals + 2));
  }
  return found;
}

Version parse_version(std::string_view text) {
  Version version;
  std::array<int*, 3> numbers{&version.major, &version.minor, &version.patch};
  for (int* number : numbers) {
    const auto end = std::find_if_not(text.begin(), text.end(), is_digit);
    const auto length = static_cast<std::size_t>(end - text.begin());
    const auto read = parse_decimal(text.substr(0, length), kMaxVersionNumber);
    if (!read) return version;
    *number = static_cast<int>(*read);
    text.remove_prefix(length);
    if (!text.starts_with('.')) return version;
    text.remove_prefix(1);
  }
  return version;
}

std::vector<Service> parse_services(std::string_view lines, const Parameters& overrides,
                                    bool default_chroot) {
  constexpr std::size_t kType = 1;
  constexpr std::size_t kChroot = 4;
  constexpr std::size_t kProgram = 7;
  std::vector<Service> services;
  for (const std::string_view line : split(lines, '\n')) {
    const std::vector<std::string_view> fields = words(line);
    if (fields.size() <= kProgram || !names_smtp_client(fields[kProgram])) continue;
    Service service;
    service.name = fmt::format("{}/{}", fields[0], fields[kType]);
    service.chroot = fields[kChroot] == "-" ? default_chroot : fields[kChroot] == "y";
    for (const auto& [name, value] : overrides) {
      const bool is_its = name.starts_with(service.name + "/");
      if (is_its) service.overrides[name.substr(service.name.size() + 1)] = value;
    }
    services.push_back(std::move(service));
  }
  return services;
}

std::vector<PolicyTable> parse_tables(std::string_view value) {
  constexpr std::string_view kSeparators = " \t\r\n,";
  std::vector<PolicyTable> tables;
  std::string word;
  int depth = 0;  // of braces, within which a separator is none
  const auto end_word = [&] {
    if (!word.empty()) tables.push_back(parse_table(word));
    word.clear();
  };
  for (const char c : value) {
    const bool separates = depth == 0 && kSeparators.find(c) != std::string_view::npos;
    if (separates) {
      end_word();
      continue;
    }
    if (c == '{') ++depth;
    if (c == '}' && depth > 0) --depth;
    word += c;
  }
  end_word();
  return tables;
}

std::vector<std::string> unused_parameters(std::string_view complaints) {
  constexpr std::string_view kMark = ": unused parameter: ";
  std::vector<std::string> names;
  for (const std::string_view line : split(complaints, '\n')) {
    const auto at = line.find(kMark);
    if (at == std::string_view::npos) continue;
    const std::string_view rest = line.substr(at + kMark.size());
    std::string name(rest.substr(0, std::min(rest.find('='), rest.size())));
    const bool is_known = std::find(names.begin(), names.end(), name) != names.end();
    if (!is_known) names.push_back(std::move(name));
  }
  return names;
}

std::optional<PostfixFacts> look_at_postfix(const std::string& config_dir) {
  PostfixFacts facts;
  facts.config_dir = config_dir;
  const auto program = find_program("postconf");
  if (!program) return std::nullopt;
  std::vector<std::string> names{"-x"};
  names.insert(names.end(), kParameters.begin(), kParameters.end());
  const auto values = run_child(postconf(*program, config_dir, names));
  const auto written = run_child(postconf(*program, config_dir, {"-n"}));
  const auto services = run_child(postconf(*program, config_dir, {"-M"}));
  const auto options = run_child(postconf(*program, config_dir, {"-P"}));
  for (const auto* output : {&values, &written, &services, &options}) {
    if (!*output) facts.problem = output->error();
    if (*output && (*output)->status != 0) facts.problem = complaint_in(**output);
    if (!facts.problem.empty()) return facts;
  }
  facts.values = parse_parameters(values->out);
  facts.version = parse_version(facts.value("mail_version"));
  for (const auto& [name, value] : parse_parameters(written->out)) facts.written.push_back(name);
  facts.unused = unused_parameters(written->err);
  facts.services = parse_services(services->out, parse_parameters(options->out),
                                  dash_means_chroot(facts.value("compatibility_level")));
  facts.tables = parse_tables(facts.value("smtp_tls_policy_maps"));
  const std::string_view ca = facts.value("smtp_tls_CAfile");
  if (!ca.empty()) facts.ca_file = read_ca_file(std::string(ca));
  note_chroot(facts);
  return facts;
}

}  // namespace sealane::doctor

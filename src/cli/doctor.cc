// SPDX-License-Identifier: Apache-2.0
#include "cli/doctor.h"

#include <unistd.h>

#include <boost/program_options.hpp>
#include <cstdlib>
#include <iostream>

#include "base/file.h"
#include "cli/ask.h"
#include "cli/doctor/checks.h"
#include "cli/doctor/exim_facts.h"
#include "cli/doctor/host_facts.h"
#include "cli/doctor/postfix_facts.h"
#include "cli/doctor/report.h"
#include "cli/doctor/socket_ways.h"
#include "cli/verb_options.h"

namespace sealane {
namespace po = boost::program_options;
using doctor::Facts;
namespace {

constexpr std::string_view kUsage =
    "Usage: sealane doctor [--postfix-config DIR] [--exim-config FILE] [--config FILE]\n"
    "                      [--admin unix:PATH] [--json] [--list]\n";

/// Largest resolv.conf, in octets; the C library reads a handful of lines.
constexpr std::size_t kMaxResolvConf = 1024 * 1024;

struct Arguments {
  std::string postfix_config;
  std::string exim_config;
  std::string config{kDefaultConfigFile};
  std::string admin;
  bool as_json = false;
  bool only_list = false;
  bool help = false;
};

Result<Arguments> parse(std::span<const std::string> args) {
  Arguments parsed;
  po::options_description options;
  options.add_options()("postfix-config", po::value(&parsed.postfix_config));
  options.add_options()("exim-config", po::value(&parsed.exim_config));
  options.add_options()("config", po::value(&parsed.config));
  options.add_options()("admin", po::value(&parsed.admin));
  options.add_options()("json", po::bool_switch(&parsed.as_json));
  options.add_options()("list", po::bool_switch(&parsed.only_list));
  options.add_options()("help,h", po::bool_switch(&parsed.help));
  const po::positional_options_description none;
  po::variables_map map;
  if (auto read = read_words(args, options, none, map); !read) {
    return tl::unexpected(std::move(read.error()));
  }
  return parsed;
}

Facts gather(const Arguments& arguments, const DoctorProbes& probes) {
  Facts facts;
  facts.config_file = arguments.config;
  read_configuration(facts);
  facts.families = probes.families(facts.config);
  facts.store_is_volatile = doctor::is_volatile(facts.config.store_path);
  facts.resolver = probes.resolvers(facts.config);
  facts.resolv_conf = read_file(probes.resolv_conf, kMaxResolvConf).value_or("");
  facts.daemon = doctor::ask_daemon(
      arguments.admin.empty() ? "unix:" + facts.config.admin.front().path : arguments.admin);
  facts.clock = doctor::look_at_clock();
  facts.ca = doctor::ca_of(facts.config);
  facts.postfix = doctor::look_at_postfix(arguments.postfix_config);
  if (facts.postfix) doctor::trace_ways(*facts.postfix, facts.config.socketmap);
  facts.exim = doctor::look_at_exim(arguments.exim_config);
  return facts;
}

bool wants_colours(const std::ostream& out) {
  const char* refused = std::getenv("NO_COLOR");
  if (refused != nullptr && *refused != '\0') return false;
  return &out == &std::cout && ::isatty(STDOUT_FILENO) == 1;
}

int status_of(const Arguments& arguments, const Facts& facts, bool is_ill) {
  const bool lacks_wanted = (!arguments.postfix_config.empty() && !facts.postfix) ||
                            (!arguments.exim_config.empty() && !facts.exim);
  if (lacks_wanted) return kDoctorBlind;
  if (is_ill) return kDoctorIll;
  return facts.postfix || facts.exim ? kDoctorWell : kDoctorBlind;
}

}  // namespace

int doctor_command(std::span<const std::string> args, const DoctorProbes& probes, std::ostream& out,
                   std::ostream& err) {
  const Result<Arguments> arguments = parse(args);
  if (!arguments) return wrong_usage(err, "doctor", arguments.error(), kUsage);
  if (arguments->help) {
    out << kUsage;
    return kDoctorWell;
  }
  if (arguments->only_list) {
    out << doctor::list_of_checks(arguments->as_json);
    return kDoctorWell;
  }
  const Facts facts = gather(*arguments, probes);
  const std::vector<doctor::Finding> findings = doctor::examine(facts);
  out << (arguments->as_json ? doctor::report_json(facts, findings)
                             : doctor::report_text(facts, findings, wants_colours(out)));
  return status_of(*arguments, facts, doctor::is_ill(findings));
}

}  // namespace sealane

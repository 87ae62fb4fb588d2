// SPDX-License-Identifier: Apache-2.0
#include "policy/decision_case.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <stdexcept>

#include "base/text.h"
#include "server/postfix_reply.h"

namespace sealane {
namespace {

constexpr std::chrono::seconds kTtl{200};

template <class T>
T find_in(const std::map<std::string_view, T>& words, std::string_view word) {
  const auto found = words.find(word);
  if (found == words.end()) throw std::runtime_error("unknown word: " + std::string(word));
  return found->second;
}

/// SHA-256 data that begins with the host's letter, twice: "aa00…".
TlsaRecord record_of(std::string_view name, std::uint8_t usage) {
  TlsaRecord record{usage, 1, 1, std::vector<std::uint8_t>(32, 0)};
  record.data[0] = static_cast<std::uint8_t>((name[0] - 'a' + 10) * 0x11);
  return record;
}

void add_records(HostFinding& host, std::string_view name, std::string_view state) {
  if (state == "DANE") host.records = {{record_of(name, 3), true, ""}};
  if (state == "DANE-TA") host.records = {{record_of(name, 2), true, ""}};
  if (state == "ENC") host.records = {{record_of(name, 1), false, "usage 1"}};
}

void add_failure(HostFinding& host, std::string_view state) {
  host.address_failed = state != "ERR";
  host.address_bound_reached = state == "ERR-LONG";
  host.reason = host.address_failed
                    ? fmt::format("address lookup for {} failed (timeout)", host.name)
                    : fmt::format("TLSA lookup for _25._tcp.{} failed (SERVFAIL)", host.name);
}

void read_hosts(DaneFinding& finding, std::string_view text) {
  for (std::string_view one : split(text, ',')) {
    const auto parts = words(one);
    if (parts.size() != 3) throw std::runtime_error("not a host: " + std::string(one));
    const auto preference = parse_decimal(parts[0], 65535).value();
    finding.hosts.push_back(host_of(parts[1], static_cast<std::uint16_t>(preference), parts[2]));
  }
}

std::string joined(const std::vector<std::string>& names) {
  return fmt::format("{}", fmt::join(names, ","));
}

std::string exim_text(const Decision& decision) {
  std::vector<std::string> allowed;
  std::vector<std::string> exempt;
  for (const Domain& host : decision.dane_hosts) exempt.push_back(host.text());
  if (!decision.restricted) {
    for (const MxPattern& pattern : decision.patterns) allowed.push_back(pattern.text());
  }
  std::string text;
  switch (decision.action) {
    case Action::not_found:
      return "none";
    case Action::temporary:
      return "temp " + decision.reason;
    case Action::dane_only:
      return "dane";
    case Action::sts:
      text = "secure";
      break;
    default:
      text = name_of(decision.action);
  }
  const std::string_view use = decision.report_testing ? " testing=" : " allow=";
  if (!allowed.empty()) text += std::string(use) + joined(allowed);
  if (!exempt.empty()) text += " exempt=" + joined(exempt);
  if (decision.dane_natively) text += " own-dane";
  if (!decision.dane_possible) text += " no-dane";
  return text;
}

void read_setting(DecisionInput& input, std::string_view name, std::string_view value) {
  if (name == "default-level") {
    input.settings.default_level =
        find_in<DefaultLevel>({{"none", DefaultLevel::none},
                               {"may", DefaultLevel::may},
                               {"encrypt", DefaultLevel::encrypt},
                               {"dane", DefaultLevel::dane},
                               {"dane-only", DefaultLevel::dane_only},
                               {"fingerprint", DefaultLevel::fingerprint},
                               {"verify", DefaultLevel::verify},
                               {"secure", DefaultLevel::secure}},
                              value);
  } else if (name == "dane") {
    input.override_.dane =
        find_in<DaneOverride>({{"off", DaneOverride::off}, {"only", DaneOverride::only}}, value);
  } else if (name == "port") {
    input.next_hop.port = static_cast<std::uint16_t>(parse_decimal(value, 65535).value());
  } else if (name == "fixed") {
    input.override_.postfix_reply = value;
  } else {
    throw std::runtime_error("unknown setting: " + std::string(name));
  }
}

void read_word(DecisionInput& input, std::string_view word) {
  if (word == "insecure-mx=may") {
    input.settings.insecure_mx_may = true;
  } else if (word == "observe") {
    input.settings.observe = true;
  } else if (word == "override-observe") {
    input.override_.observe = true;
  } else if (word == "sts=off") {
    input.override_.sts_off = true;
  } else if (word == "requiretls") {
    input.flags.requiretls = true;
  } else if (word == "tls-required-no") {
    input.flags.tls_required_no = true;
  } else {
    const auto parts = split(word, '=');
    read_setting(input, parts.front(), parts.back());
  }
}

}  // namespace

Domain domain_of(std::string_view text) { return Domain::parse(text).value(); }

HostFinding host_of(std::string_view name, std::uint16_t preference, std::string_view state) {
  HostFinding host;
  host.name = state == "LITERAL" ? "192.0.2.1" : std::string(name) + ".ex.test";
  if (state != "LITERAL") host.domain = domain_of(host.name);
  host.preference = preference;
  host.ttl = kTtl;
  host.state = find_in<HostState>({{"DANE", HostState::dane},
                                   {"DANE-TA", HostState::dane},
                                   {"ENC", HostState::enc},
                                   {"NONE", HostState::none},
                                   {"LITERAL", HostState::none},
                                   {"DEAD", HostState::dead},
                                   {"ERR", HostState::err},
                                   {"ERR-ADDR", HostState::err},
                                   {"ERR-LONG", HostState::err}},
                                  state);
  add_records(host, name, state);
  if (host.state == HostState::err) add_failure(host, state);
  return host;
}

StsPolicy policy_of(StsMode mode, const std::vector<std::string_view>& names) {
  std::string body = "version: STSv1\nmode: " + std::string(name_of(mode)) + "\n";
  for (std::string_view name : names) body += fmt::format("mx: {}.ex.test\n", name);
  body += "max_age: 86400\n";
  return parse_sts_policy(body).value();
}

DaneFinding dane_of(std::string_view text) {
  DaneFinding finding;
  finding.ttl = kTtl;
  text = trim(text);
  const auto take = [&text](std::string_view word) {
    if (text != word && !text.starts_with(std::string(word) + " ")) return false;
    text = trim(text.substr(word.size()));
    return true;
  };
  if (take("error")) {
    finding.reason = "MX lookup for ex.test failed (SERVFAIL)";
    return finding;
  }
  if (take("own-fault")) {
    finding.own_fault = true;
    finding.reason = "no resolver answers";
    return finding;
  }
  finding.mx = take("null")     ? MxStatus::null
               : take("nx")     ? MxStatus::nxdomain
               : take("nodata") ? MxStatus::nodata_no_address
               : take("host")   ? MxStatus::host
                                : MxStatus::ok;
  if (take("empty")) return finding;
  finding.too_many_hosts = take("many");
  finding.mx_secure = take("secure") || (!take("insecure") && finding.mx == MxStatus::host);
  if (take("implicit")) finding.mx = MxStatus::implicit;
  if (!text.empty()) read_hosts(finding, text);
  return finding;
}

StsFinding sts_of(std::string_view text) {
  StsFinding finding;
  finding.ttl = kTtl;
  const auto parts = words(text);
  const std::string_view word = parts.at(0);
  finding.txt_bound_reached = word == "none-bound";
  finding.value = find_in<StsClass>({{"none", StsClass::none},
                                     {"none-bound", StsClass::none},
                                     {"enforce", StsClass::enforce},
                                     {"testing", StsClass::testing},
                                     {"mode-none", StsClass::mode_none},
                                     {"fetch-failed", StsClass::fetch_failed},
                                     {"txt-error", StsClass::txt_error},
                                     {"pending", StsClass::pending},
                                     {"own-fault", StsClass::own_fault}},
                                    word);
  const std::vector<std::string_view> names(parts.begin() + 1, parts.end());
  if (word == "enforce") finding.policy = policy_of(StsMode::enforce, names);
  if (word == "testing") finding.policy = policy_of(StsMode::testing, names);
  if (word == "mode-none") finding.policy = policy_of(StsMode::none, names);
  if (word == "txt-error") finding.reason = "TXT lookup for _mta-sts.ex.test failed (SERVFAIL)";
  if (word == "pending") finding.reason = "the policy is being fetched";
  if (word == "own-fault") finding.reason = "the policy store cannot be read";
  return finding;
}

void read_asker(DecisionInput& input, std::string_view text) {
  const auto parts = words(text);
  input.dialect = find_in<Dialect>({{"postfix", Dialect::postfix},
                                    {"tlsrpt", Dialect::postfix_tlsrpt},
                                    {"pins", Dialect::postfix_pins},
                                    {"requiretls", Dialect::requiretls},
                                    {"sts", Dialect::sendmail_sts},
                                    {"exim", Dialect::exim}},
                                   parts.at(0));
  for (std::size_t i = 1; i < parts.size(); ++i) read_word(input, parts[i]);
}

DecisionInput input_of(std::string_view dane, std::string_view sts, std::string_view asker) {
  DecisionInput input{.next_hop = NextHop{.domain = domain_of("ex.test")},
                      .dane = dane_of(dane),
                      .sts = sts_of(sts),
                      .override_ = {},
                      .flags = {},
                      .settings = {}};
  input.next_hop.mx_lookup = input.dane.mx != MxStatus::host;
  read_asker(input, asker);
  return input;
}

std::string answer_text(const Decision& decision, const DecisionInput& input) {
  if (input.dialect == Dialect::exim) return exim_text(decision);
  return std::string(trim(postfix_reply(decision, input.dialect, input.next_hop.domain.text())));
}

std::string notes_text(const Decision& decision, const DecisionInput& input) {
  std::vector<std::string> notes;
  for (Notice notice : decision.notices) notes.emplace_back(name_of(notice));
  if (decision.waits_for_sts) notes.emplace_back("waits");
  if (input.flags.requiretls && decision.requiretls_ok) notes.emplace_back("requiretls-ok");
  std::sort(notes.begin(), notes.end());
  return fmt::format("{}", fmt::join(notes, " "));
}

}  // namespace sealane

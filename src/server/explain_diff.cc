// SPDX-License-Identifier: Apache-2.0
#include "server/explain_diff.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "policy/situation.h"

namespace sealane {
namespace {

using Differences = std::vector<Difference>;

void compare(Differences& found, std::string what, std::string known, std::string live) {
  if (known != live) found.push_back({std::move(what), std::move(known), std::move(live)});
}

std::string joined(std::vector<std::string> texts) {
  std::sort(texts.begin(), texts.end());
  return fmt::format("{}", fmt::join(texts, ", "));
}

std::string mx_text(const DaneFinding& found) {
  return fmt::format("{}, {}", name_of(found.mx), is_mx_secure(found) ? "secure" : "insecure");
}

std::string hosts_text(const DaneFinding& found) {
  std::vector<std::string> hosts;
  for (const HostFinding& host : found.hosts) {
    hosts.push_back(fmt::format("{} {}", host.preference, shown(host)));
  }
  return joined(std::move(hosts));
}

std::string tlsa_of(const HostFinding& host) {
  std::vector<std::string> records;
  for (const JudgedTlsa& judged : host.records) {
    records.push_back(to_text(judged.record, kMaxExplainedTlsaData));
  }
  return joined(std::move(records));
}

std::string state_of(const HostFinding& host) {
  const bool tells = host.state == HostState::err || host.state == HostState::none;
  return tells ? fmt::format("{}: {}", name_of(host.state), host.reason)
               : std::string(name_of(host.state));
}

void compare_hosts(Differences& found, const DaneFinding& known, const DaneFinding& live) {
  std::map<std::string, const HostFinding*> before;
  for (const HostFinding& host : known.hosts) before.emplace(host.name, &host);
  for (const HostFinding& host : live.hosts) {
    const auto entry = before.find(host.name);
    if (entry == before.end()) continue;  // "MX hosts" says so
    const HostFinding& old = *entry->second;
    const std::string name = shown(host);
    compare(found, "host " + name, state_of(old), state_of(host));
    compare(found, "addresses of " + name, joined(old.addresses), joined(host.addresses));
    compare(found, "alias of " + name, fmt::format("{}", fmt::join(old.aliases, " -> ")),
            fmt::format("{}", fmt::join(host.aliases, " -> ")));
    compare(found, "TLSA of " + name, tlsa_of(old), tlsa_of(host));
  }
}

void compare_dane(Differences& found, const Look& known, const Look& live) {
  if (!known.dane || !live.dane) {
    const auto text = [](const Look& look) { return look.dane ? "known" : "not found in time"; };
    return compare(found, "DNS", text(known), text(live));
  }
  compare(found, "MX", mx_text(*known.dane), mx_text(*live.dane));
  compare(found, "MX hosts", hosts_text(*known.dane), hosts_text(*live.dane));
  compare_hosts(found, *known.dane, *live.dane);
}

std::string txt_text(const StsSight& look) {
  const StsView& view = look.view;
  if (view.txt == TxtState::valid) return "id " + view.memory.txt_id;
  if (view.txt_problem.empty()) return std::string(name_of(view.txt));
  return fmt::format("{}: {}", name_of(view.txt), view.txt_problem);
}

std::string policy_text(const StsSight& look) {
  if (!look.view.policy) return "none";
  const StsPolicy& policy = *look.view.policy;
  const std::string id = look.view.memory.policy ? look.view.memory.policy->id : "";
  return fmt::format("mode {}, max_age {}, {} mx, id {}", name_of(policy.mode),
                     policy.max_age.count(), policy.mx.size(), id);
}

std::string lines_of(const StsSight& look) {
  if (!look.view.policy) return {};
  return fmt::format("{}", fmt::join(look.view.policy->lines, "; "));
}

std::string fetch_text(const StsSight& look) {
  const StsView& view = look.view;
  if (view.own_fault) return *view.own_fault;
  return view.memory.fetch_errors.count > 0 ? view.memory.fetch_errors.text : "no failure";
}

void compare_sts(Differences& found, const Look& known, const Look& live) {
  if (!known.sts && !live.sts) return;
  if (!known.sts || !live.sts) {
    const auto text = [](const Look& look) { return look.sts ? "known" : "not found in time"; };
    return compare(found, "MTA-STS", text(known), text(live));
  }
  compare(found, "MTA-STS class", std::string(name_of(known.sts->finding.value)),
          std::string(name_of(live.sts->finding.value)));
  compare(found, "TXT record", txt_text(*known.sts), txt_text(*live.sts));
  compare(found, "policy", policy_text(*known.sts), policy_text(*live.sts));
  compare(found, "policy text", lines_of(*known.sts), lines_of(*live.sts));
  compare(found, "fetch of the policy", fetch_text(*known.sts), fetch_text(*live.sts));
}

}  // namespace

std::vector<Difference> differences(const ExplainedLook& known, const ExplainedLook& live) {
  Differences found;
  compare_dane(found, *known.look, *live.look);
  compare_sts(found, *known.look, *live.look);
  for (std::size_t i = 0; i < std::min(known.answers.size(), live.answers.size()); ++i) {
    compare(found, "answer " + live.answers[i].names.front(), known.answers[i].reply,
            live.answers[i].reply);
  }
  return found;
}

}  // namespace sealane

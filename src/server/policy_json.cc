// SPDX-License-Identifier: Apache-2.0
#include "server/policy_json.h"

#include <algorithm>
#include <boost/json.hpp>
#include <string>
#include <string_view>

#include "base/text.h"
#include "server/postfix_words.h"

namespace sealane {
namespace json = boost::json;
namespace {

constexpr std::string_view kOk = "OK ";
constexpr std::string_view kTemporary = "TEMP ";

std::string_view demanded_by(Action action) {
  switch (action) {
    case Action::dane:
    case Action::dane_only:
    case Action::pins:
      return "dane";
    case Action::sts:
      return "mta-sts";
    case Action::fixed:
      return "override";
    case Action::not_found:
    case Action::may:
    case Action::encrypt:
    case Action::temporary:
      break;
  }
  return {};
}

std::string_view mode_of(StsClass value) {
  switch (value) {
    case StsClass::enforce:
      return name_of(StsMode::enforce);
    case StsClass::testing:
      return name_of(StsMode::testing);
    case StsClass::mode_none:
      return name_of(StsMode::none);
    case StsClass::none:
    case StsClass::fetch_failed:
    case StsClass::txt_error:
    case StsClass::pending:
    case StsClass::own_fault:
      break;
  }
  return {};
}

/// The digests of "fingerprint match=AB|CD servername=hostname".
json::array fingerprints_of(std::string_view text) {
  constexpr std::string_view kAttribute = "match=";
  json::array found;
  for (const std::string_view word : postfix_list(text)) {
    if (!word.starts_with(kAttribute)) continue;
    for (const std::string_view digest : split(word.substr(kAttribute.size()), '|')) {
      found.push_back(json::string(digest));
    }
  }
  return found;
}

void add_demand(json::object& told, const Answer& answer, std::string_view text) {
  const std::string level = first_word(text);
  told["status"] = "ok";
  told["level"] = level;
  if (const auto by = demanded_by(answer.action); !by.empty()) told["by"] = by;
  if (level == "fingerprint") {
    told["fingerprints"] = fingerprints_of(text);
    return;
  }
  json::array names;
  for (const PolicyName& name : names_of_match(text)) names.push_back(json::string(name.pattern));
  if (!names.empty()) told["match"] = std::move(names);
}

}  // namespace

std::chrono::seconds time_left(const Answer& answer, std::chrono::steady_clock::time_point now) {
  const auto left = std::chrono::duration_cast<std::chrono::seconds>(answer.expires - now);
  return std::max(left, std::chrono::seconds{0});
}

json::object policy_json(const Answer& answer, std::chrono::steady_clock::time_point now) {
  const std::string_view reply = answer.reply;
  json::object told;
  if (answer.temporary()) {
    told = {{"status", "temporary"}, {"level", "temporary"}};
    told["reason"] = reply.substr(std::min(reply.size(), kTemporary.size()));
  } else if (reply.starts_with(kOk)) {
    add_demand(told, answer, reply.substr(kOk.size()));
  } else {
    told = {{"status", "none"}, {"level", "none"}};
  }
  if (const auto mode = mode_of(answer.sts); !mode.empty()) told["mode"] = mode;
  if (answer.observed) told["observing"] = true;
  told["ttl"] = time_left(answer, now).count();
  told["postfix"] = reply;
  return told;
}

}  // namespace sealane

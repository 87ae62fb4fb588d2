// SPDX-License-Identifier: Apache-2.0
#include "server/access_request.h"

#include "base/text.h"

namespace sealane {
namespace {

/// Where the value of a known attribute goes; null for all others.
std::string_view* place_of(AccessRequest& request, std::string_view name) {
  if (name == "protocol_state") return &request.state;
  if (name == "sender") return &request.sender;
  if (name == "recipient") return &request.recipient;
  if (name == "sasl_username") return &request.user;
  if (name == "policy_context") return &request.context;
  return nullptr;
}

}  // namespace

std::string_view AccessRequest::recipient_domain() const {
  const std::size_t at = recipient.rfind('@');
  return at == std::string_view::npos ? std::string_view{} : recipient.substr(at + 1);
}

bool AccessRequest::is_recipient_routed() const {
  const std::string_view local = recipient.substr(0, recipient.rfind('@'));
  return local.find_first_of("!%@") != std::string_view::npos;
}

std::size_t access_request_length(std::string_view unread) {
  if (unread.starts_with('\n')) return 1;
  const std::size_t end = unread.find("\n\n");
  return end == std::string_view::npos ? 0 : end + 2;
}

std::optional<AccessRequest> parse_access_request(std::string_view text) {
  AccessRequest request;
  bool is_ours = false;
  for (const std::string_view line : split(text, '\n')) {
    if (line.empty()) break;
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos || equals == 0) return std::nullopt;
    const std::string_view name = line.substr(0, equals);
    const std::string_view value = line.substr(equals + 1);
    if (name == "request") is_ours = value == "smtpd_access_policy";
    std::string_view* place = place_of(request, name);
    if (place == nullptr) continue;
    if (place->data() != nullptr) return std::nullopt;
    *place = value;
  }
  if (!is_ours) return std::nullopt;
  return request;
}

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
#include "adapters/tlsrpt/datagram.h"

#include <fmt/format.h>

#include <iterator>
#include <string_view>
#include <vector>

#include "base/text.h"

namespace sealane {
namespace {

constexpr int kPolicyTypeSts = 2;
/// Of libtlsrpt 0.5.1 and later; 0.5.0 sends none, and collectors take both.
constexpr std::string_view kProtocolVersion = "1";
/// U+FFFD.
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

int code_of(TlsrptFailure failure) {
  switch (failure) {
    case TlsrptFailure::validation_failure:
      return 205;
    case TlsrptFailure::fetch_error:
      return 301;
    case TlsrptFailure::policy_invalid:
      return 302;
    case TlsrptFailure::webpki_invalid:
      return 303;
  }
  return 0;
}

void append_character(std::string& out, char c) {
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\b':
      out += "\\b";
      return;
    case '\t':
      out += "\\t";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\f':
      out += "\\f";
      return;
    case '\r':
      out += "\\r";
      return;
    default:
      break;
  }
  const auto octet = static_cast<unsigned char>(c);
  if (octet < 0x20 || octet == 0x7f) {
    fmt::format_to(std::back_inserter(out), "\\u{:04x}", octet);
  } else {
    out += c;
  }
}

std::string json_string(std::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    const std::size_t bad = find_bad_utf8(text);
    for (const char c : text.substr(0, bad)) append_character(out, c);
    if (bad == std::string_view::npos) break;
    out += kReplacement;
    text.remove_prefix(bad + 1);
  }
  return out + '"';
}

/// `,"name":["a","b"]`, or nothing for an empty list.
std::string list(std::string_view name, const std::vector<std::string>& texts) {
  if (texts.empty()) return {};
  std::string out;
  for (const std::string& text : texts) {
    out += out.empty() ? fmt::format(",\"{}\":[", name) : ",";
    out += json_string(trim(text));
  }
  return out + ']';
}

std::string details_of(const TlsrptReport& report) {
  if (report.details.empty()) return {};
  std::string out;
  for (const TlsrptDetail& detail : report.details) {
    out += out.empty() ? ",\"failure-details\":[" : ",";
    out += fmt::format("{{\"c\":{}", code_of(detail.failure));
    if (!detail.mx_host.empty()) out += ",\"n\": " + json_string(detail.mx_host);
    if (!detail.reason.empty()) out += ",\"f\": " + json_string(detail.reason);
    out += '}';
  }
  return out + ']';
}

}  // namespace

std::string tlsrpt_datagram(const TlsrptReport& report) {
  const std::string head =
      fmt::format("{{\"dpv\": \"{}\",\"d\": {},\"pr\": {},\"policies\":[{{\"policy-type\":{}",
                  kProtocolVersion, json_string(report.domain.text()), json_string(report.record),
                  kPolicyTypeSts) +
      ",\"policy-domain\": " + json_string(report.domain.text());
  const std::string tail =
      details_of(report) + fmt::format(",\"t\":{},\"f\":1}}]}}", report.details.size());
  std::string strings = list("policy-string", report.policy_strings);
  std::string patterns = list("mx-host", report.mx_patterns);
  const auto too_long = [&] {
    return head.size() + strings.size() + patterns.size() + tail.size() > kMaxTlsrptDatagram;
  };
  if (too_long()) strings.clear();
  if (too_long()) patterns.clear();
  return head + strings + patterns + tail;
}

}  // namespace sealane

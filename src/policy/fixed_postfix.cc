// SPDX-License-Identifier: Apache-2.0
// Postfix's side of fixed_answer.h: TLS policy tables of postconf(5), smtp_tls_policy_maps, as
// Postfix 3.4 reads them.
#include <algorithm>
#include <array>
#include <set>
#include <string>

#include "base/text.h"
#include "policy/domain.h"
#include "policy/fixed_answer.h"

namespace sealane {
namespace {

/// Octets of a wrong word that are shown: with file, line and remedy it fits a log line.
constexpr std::size_t kMaxShownWord = 60;

std::string shown(std::string_view word) { return escape(word, kMaxShownWord); }

template <std::size_t N>
using Names = std::array<std::string_view, N>;

constexpr Names<8> kLevels{"none", "may",       "encrypt", "fingerprint",
                           "dane", "dane-only", "verify",  "secure"};
constexpr Names<7> kAttributes{"ciphers",   "connection_reuse", "exclude", "match",
                               "protocols", "servername",       "tafile"};
/// Known to newer versions only; an older one would hold the mail.
constexpr Names<7> kNewAttributes{"enable_rpk",     "policy_type",    "policy_domain",
                                  "policy_string",  "policy_failure", "policy_ttl",
                                  "mx_host_pattern"};
constexpr Names<5> kGrades{"high", "medium", "low", "export", "null"};
constexpr Names<6> kProtocols{"sslv2", "sslv3", "tlsv1", "tlsv1.1", "tlsv1.2", "tlsv1.3"};
constexpr Names<3> kMatchKeywords{"hostname", "nexthop", "dot-nexthop"};
constexpr Names<2> kServerKeywords{"hostname", "nexthop"};
/// Hexadecimal digits of MD5, SHA-1, SHA-224, SHA-256, SHA-384 and SHA-512: which one it is, only
/// smtp_tls_fingerprint_digest knows.
constexpr std::array<std::size_t, 6> kDigestLengths{32, 40, 56, 64, 96, 128};

template <class T, std::size_t N>
bool is_one_of(const std::array<T, N>& known, const T& value) {
  return std::find(known.begin(), known.end(), value) != known.end();
}

template <std::size_t N>
bool is_keyword(const Names<N>& known, std::string_view text) {
  return std::find(known.begin(), known.end(), text) != known.end();
}

template <std::size_t N>
std::string list_of(const Names<N>& known) {
  std::string text;
  for (std::string_view name : known) text += fmt::format("{}{}", text.empty() ? "" : ", ", name);
  return text;
}

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> found;
  for (std::string_view piece : split(text, ',')) {
    for (std::string_view word : words(piece)) found.push_back(word);
  }
  return found;
}

/// What Postfix's valid_hostname() takes, without addresses.
bool is_host_name(std::string_view text) {
  if (text.ends_with('.') || is_ip_address(text) || !Domain::parse(text)) return false;
  const auto labels = split(text, '.');
  const bool is_numeric = std::all_of(labels.begin(), labels.end(), [](std::string_view label) {
    return std::all_of(label.begin(), label.end(), is_digit);
  });
  return !is_numeric && std::none_of(labels.begin(), labels.end(), [](std::string_view label) {
    return label.front() == '-' || label.back() == '-';
  });
}

Result<void> check_name(std::string_view item) {
  const std::string lower = lower_ascii(item);
  if (is_keyword(kMatchKeywords, item)) return {};
  if (is_keyword(kMatchKeywords, lower)) {
    return failure("match={}: write it in lower case", item);
  }
  if (item.empty()) return failure("match= has an empty name; names are separated by one \":\"");
  if (item.ends_with('.')) {
    return failure("match={}: leave the last dot out, no certificate would match", item);
  }
  if (item.starts_with("*.")) {
    return failure("match={}: Postfix writes \"{}\"", item, item.substr(1));
  }
  const bool is_below = item.starts_with('.');
  if (is_host_name(item.substr(is_below ? 1 : 0))) return {};
  return failure("match={}: no host name; write names, \".domain\", {}", shown(item),
                 list_of(kMatchKeywords));
}

Result<void> check_digest(std::string_view item) {
  std::string digits;
  for (char c : item) {
    if (c != ':') digits += c;
  }
  const bool is_digest = is_one_of(kDigestLengths, digits.size()) && from_hex(digits).has_value();
  const bool has_pairs =
      digits.size() == item.size() || item.size() == digits.size() + digits.size() / 2 - 1;
  if (is_digest && has_pairs) return {};
  return failure("match={}: no digest in hexadecimal; separate digests by \"|\"", shown(item));
}

Result<void> check_match(std::string_view level, std::string_view value) {
  const bool is_digests = level == "fingerprint";
  if (!is_digests && level != "secure" && level != "verify") {
    return failure("match= does not go with level {}, only with fingerprint, verify, secure",
                   level);
  }
  for (std::string_view item : split(value, is_digests ? '|' : ':')) {
    auto checked = is_digests ? check_digest(item) : check_name(item);
    if (!checked) return checked;
  }
  return {};
}

Result<void> check_server_name(std::string_view value) {
  if (is_keyword(kServerKeywords, value)) return {};
  if (is_keyword(kServerKeywords, lower_ascii(value))) {
    return failure("servername={}: write it in lower case, else it is a name", value);
  }
  if (is_host_name(value)) return {};
  return failure("servername={}: write hostname, nexthop, or a host name", shown(value));
}

Result<void> check_protocols(std::string_view value) {
  for (std::string_view item : split(value, ':')) {
    if (item.starts_with('>') || item.starts_with('<')) {
      return failure("protocols={}: needs Postfix 3.6; exclude, as in !TLSv1:!TLSv1.1", item);
    }
    const std::string name = lower_ascii(item.substr(item.starts_with('!') ? 1 : 0));
    if (is_keyword(kProtocols, name)) continue;
    return failure(
        "protocols={}: names are SSLv3, TLSv1, TLSv1.1, TLSv1.2, TLSv1.3, after an "
        "optional \"!\", separated by \":\"",
        shown(item));
  }
  return {};
}

Result<void> check_ciphers(std::string_view value) {
  if (is_keyword(kGrades, lower_ascii(value))) return {};
  return failure("ciphers={}: grades are {}", shown(value), list_of(kGrades));
}

Result<void> check_exclude(std::string_view value) {
  const bool is_clean = std::all_of(value.begin(), value.end(), [](char c) {
    return is_alpha(c) || is_digit(c) ||
           std::string_view("+-_:!@=.").find(c) != std::string_view::npos;
  });
  if (is_clean) return {};
  return failure("exclude={}: write cipher names, separated by \":\"", shown(value));
}

Result<void> check_trust_file(std::string_view level, std::string_view value) {
  if (level != "secure" && level != "verify") {
    return failure("tafile= does not go with level {}, only with verify, secure", level);
  }
  if (value.starts_with('/')) return {};
  return failure("tafile={}: write an absolute path", shown(value));
}

Result<void> check_reuse(std::string_view value) {
  const std::string word = lower_ascii(value);
  if (word == "yes" || word == "no") return {};
  return failure("connection_reuse={}: write yes or no", shown(value));
}

Result<void> check_value(std::string_view level, std::string_view name, std::string_view value) {
  if (name == "match") return check_match(level, value);
  if (name == "servername") return check_server_name(value);
  if (name == "protocols") return check_protocols(value);
  if (name == "ciphers") return check_ciphers(value);
  if (name == "exclude") return check_exclude(value);
  if (name == "tafile") return check_trust_file(level, value);
  return check_reuse(value);
}

Result<void> check_attribute(std::string_view level, std::string_view word,
                             std::set<std::string>& seen) {
  const std::size_t equals = word.find('=');
  if (equals == std::string_view::npos) {
    return failure("\"{}\" is no attribute; write name=value", shown(word));
  }
  const std::string name = lower_ascii(word.substr(0, equals));
  const std::string_view value = word.substr(equals + 1);
  if (is_keyword(kNewAttributes, std::string_view(name))) {
    return failure("{}= is not known to Postfix before 3.9; leave it out", name);
  }
  if (!is_keyword(kAttributes, std::string_view(name))) {
    return failure("unknown attribute \"{}\"; there are {}", shown(name), list_of(kAttributes));
  }
  if (value.empty()) return failure("{}= has no value; give one or leave it out", name);
  const bool is_repeatable = name == "match" || name == "tafile";
  if (!seen.insert(name).second && !is_repeatable) {
    return failure("{}= is given twice; keep one", name);
  }
  return check_value(level, name, value);
}

}  // namespace

Result<void> check_postfix_answer(std::string_view text) {
  const bool is_visible =
      std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
  if (!is_visible) return failure("not all is printable ASCII; write names as A-labels (xn--)");
  if (text.find_first_of("{}") != std::string_view::npos) {
    return failure("braces need Postfix 3.10; leave such attributes out");
  }
  const std::vector<std::string_view> found = words_of(text);
  if (found.empty()) return failure("no level; levels are {}", list_of(kLevels));
  const std::string level = lower_ascii(found.front());
  if (!is_keyword(kLevels, std::string_view(level))) {
    return failure("\"{}\" is no level; levels are {}", shown(found.front()), list_of(kLevels));
  }
  if (level == "none" && found.size() > 1) {
    return failure("\"{}\": level none takes no attributes; leave them out", shown(found[1]));
  }
  std::set<std::string> seen;
  for (std::size_t i = 1; i < found.size(); ++i) {
    auto checked = check_attribute(level, found[i], seen);
    if (!checked) return checked;
  }
  return {};
}

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
#include "policy/sts_policy.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <set>
#include <utility>

#include "base/text.h"
#include "policy/sts_grammar.h"

namespace sealane {
namespace {

constexpr std::string_view kWsp = " \t";
constexpr std::size_t kMaxAgeDigits = 10;         // RFC 8461 3.2
constexpr std::chrono::seconds kShortAge{86400};  // a day; RFC 8461 10.2 asks for weeks

/// Letters, digits and inner hyphens; one leading underscore is let pass, as in the "_dc-mx" names
/// that hosting panels make.
bool is_host_label(std::string_view label) {
  if (label.starts_with('_')) label.remove_prefix(1);
  return !label.empty() && label.front() != '-' && label.back() != '-' &&
         label.find('_') == std::string_view::npos;
}

/// The offset of the first control character but TAB; npos if there is none.
std::size_t find_control(std::string_view text) {
  const auto found = std::find_if(text.begin(), text.end(), [](char c) {
    const auto octet = static_cast<unsigned char>(c);
    return (octet < 0x20 && c != '\t') || octet == 0x7f;
  });
  return found == text.end() ? std::string_view::npos
                             : static_cast<std::size_t>(found - text.begin());
}

int column_of(std::size_t offset) { return static_cast<int>(offset) + 1; }

/// Reads a policy line by line.
class PolicyReader {
 public:
  explicit PolicyReader(Remarks& remarks) : remarks_(remarks) {}

  void read(std::string_view body);
  StsPolicy take() { return std::move(policy_); }

 private:
  /// `terminated` by LF: only then may a CR be part of the line end.
  void read_line(std::string_view line, bool terminated);
  bool has_legal_octets(std::string_view line);
  bool has_legal_indent(std::string_view indent);
  void read_field(std::string_view line, std::size_t indent);
  bool is_key(std::string_view key, Place place);
  void read_value(std::string_view key, std::string_view value, Place place);
  void read_version(std::string_view value, Place place);
  void read_mode(std::string_view value, Place place);
  void read_max_age(std::string_view value, Place place);
  void read_mx(std::string_view value, Place place);
  void remark_on(const MxPattern& pattern, std::string_view published, Place place);
  void read_extension(std::string_view key, std::string_view value, Place place);
  void check_complete();

  Remarks& remarks_;
  StsPolicy policy_;
  int line_ = 0;
  std::optional<std::string> indent_;  ///< of the first line that is not blank
  bool mode_valid_ = false;
  bool mx_seen_ = false;
  std::set<std::string, std::less<>> fields_seen_;
  std::set<std::string> mx_kept_;
};

void PolicyReader::read(std::string_view body) {
  const bool ended = body.ends_with('\n');
  auto lines = split(body, '\n');
  if (ended) lines.pop_back();
  for (std::size_t i = 0; i < lines.size(); ++i) {
    ++line_;
    read_line(lines[i], ended || i + 1 < lines.size());
  }
  if (!ended) remarks_.note({line_, 0}, "no-final-newline", "The last line has no line end.");
  check_complete();
}

void PolicyReader::read_line(std::string_view line, bool terminated) {
  if (terminated && line.ends_with('\r')) line.remove_suffix(1);
  if (!has_legal_octets(line)) return;
  const auto indent = line.find_first_not_of(kWsp);
  if (indent == std::string_view::npos) {
    return remarks_.warning({line_, 0}, "blank-line", "A blank line is not allowed.");
  }
  policy_.lines.emplace_back(line);
  if (has_legal_indent(line.substr(0, indent))) read_field(line, indent);
}

bool PolicyReader::has_legal_octets(std::string_view line) {
  if (line_ == 1 && line.starts_with("\xef\xbb\xbf")) {
    remarks_.error({line_, 1}, "bom", "The file begins with a byte order mark.");
    return false;
  }
  if (const auto at = find_control(line); at != std::string_view::npos) {
    const Place place{line_, column_of(at)};
    if (line[at] == '\r') {
      remarks_.error(place, "bare-cr", "A CR without LF is no line end.");
    } else {
      remarks_.error(place, "control-character", "The control character {} is not allowed.",
                     escape(line.substr(at, 1)));
    }
    return false;
  }
  if (const auto at = find_bad_utf8(line); at != std::string_view::npos) {
    remarks_.error({line_, column_of(at)}, "not-utf8", "The octet {} is no UTF-8.",
                   escape(line.substr(at, 1)));
    return false;
  }
  return true;
}

/// A file whose lines are all indented alike is read (some come out of a template that way); a
/// line that is indented by itself is an error.
bool PolicyReader::has_legal_indent(std::string_view indent) {
  if (!indent_) indent_ = std::string(indent);
  if (indent != *indent_) {
    remarks_.error({line_, 1}, "uneven-indent", "The line is not indented like the first one.");
    return false;
  }
  if (!indent.empty()) {
    remarks_.warning({line_, 1}, "indented-line", "Blanks before the field are not allowed.");
  }
  return true;
}

void PolicyReader::read_field(std::string_view line, std::size_t indent) {
  const auto colon = line.find(':');
  const Place place{line_, column_of(indent)};
  if (colon == std::string_view::npos) {
    return remarks_.error(place, "no-colon", "\"{}\" is no field: there is no colon.",
                          escape(line.substr(indent)));
  }
  const std::string_view key = line.substr(indent, colon - indent);
  if (!is_key(key, place)) return;
  const auto begin = std::min(line.find_first_not_of(kWsp, colon + 1), line.size());
  const auto end = line.find_last_not_of(kWsp) + 1;
  const std::string_view value = line.substr(begin, std::max(begin, end) - begin);
  read_value(key, value, {line_, column_of(begin)});
}

bool PolicyReader::is_key(std::string_view key, Place place) {
  if (is_sts_field_name(key)) return true;
  if (is_sts_field_name(trim(key, kWsp))) {
    remarks_.error(place, "blank-before-colon", "A blank before the colon is not allowed.");
  } else {
    remarks_.error(place, "bad-field", "\"{}\" is no field name.", escape(key));
  }
  return false;
}

void PolicyReader::read_value(std::string_view key, std::string_view value, Place place) {
  if (key == "mx") return read_mx(value, place);
  // RFC 8461 3.2: of a repeated field the first counts, so the others are not even looked at.
  if (!fields_seen_.emplace(key).second) {
    return remarks_.warning(place, "duplicate-field", "A second \"{}\" is ignored.", key);
  }
  if (key == "version") return read_version(value, place);
  if (key == "mode") return read_mode(value, place);
  if (key == "max_age") return read_max_age(value, place);
  read_extension(key, value, place);
}

void PolicyReader::read_version(std::string_view value, Place place) {
  if (value == "STSv1") return;
  remarks_.error(place, "bad-version", "The version is \"{}\", not \"STSv1\".", escape(value));
}

void PolicyReader::read_mode(std::string_view value, Place place) {
  for (StsMode mode : {StsMode::enforce, StsMode::testing, StsMode::none}) {
    if (value != name_of(mode)) continue;
    policy_.mode = mode;
    mode_valid_ = true;
    return;
  }
  remarks_.error(place, "bad-mode", "The mode is \"{}\", not enforce, testing or none.",
                 escape(value));
}

void PolicyReader::read_max_age(std::string_view value, Place place) {
  const auto seconds = parse_decimal(value, std::numeric_limits<std::int64_t>::max());
  if (!seconds || value.size() > kMaxAgeDigits) {
    return remarks_.error(place, "bad-max-age", "max_age is \"{}\", not 1 to {} digits.",
                          escape(value), kMaxAgeDigits);
  }
  const std::chrono::seconds age(static_cast<std::int64_t>(*seconds));
  policy_.max_age = std::min(age, kMaxPolicyAge);
  if (age > kMaxPolicyAge) {
    remarks_.warning(place, "clamped-max-age", "max_age is above {} (a year) and cut to it.",
                     kMaxPolicyAge.count());
  }
  if (age < kShortAge) {
    remarks_.warning(place, "short-max-age", "max_age is less than a day: little protection.");
  }
}

void PolicyReader::read_mx(std::string_view value, Place place) {
  mx_seen_ = true;
  const auto pattern = MxPattern::parse(value);
  if (!pattern) {
    return remarks_.error(place, "bad-mx", "\"{}\" is no mx pattern: {}.", escape(value),
                          pattern.error());
  }
  remark_on(*pattern, value, place);
  if (!mx_kept_.insert(pattern->text()).second) {
    return remarks_.note(place, "duplicate-mx", "\"{}\" is there already.", pattern->text());
  }
  policy_.mx.push_back(*pattern);
}

void PolicyReader::remark_on(const MxPattern& pattern, std::string_view published, Place place) {
  const std::string& name = pattern.domain().text();
  const bool one_label = name.find('.') == std::string::npos;
  if (published.ends_with('.')) {
    remarks_.warning(place, "trailing-dot", "A dot at the end of an mx is not allowed.");
  }
  if (name.find('_') != std::string::npos) {
    remarks_.warning(place, "underscore", "An underscore in an mx is not allowed.");
  }
  if (one_label && pattern.is_wildcard()) {
    remarks_.warning(place, "broad-wildcard", "\"{}\" covers a whole top-level domain.",
                     pattern.text());
  }
  if (one_label && !pattern.is_wildcard()) {
    remarks_.warning(place, "single-label", "\"{}\" has only one label.", name);
  }
  if (is_ip_address(name)) {
    remarks_.warning(place, "address", "\"{}\" is an address: no MX host has such a name.", name);
  }
}

void PolicyReader::read_extension(std::string_view key, std::string_view value, Place place) {
  if (value.empty()) {
    return remarks_.error(place, "empty-value", "The field \"{}\" has no value.", key);
  }
  if (value.find('\t') != std::string_view::npos) {
    return remarks_.error(place, "bad-value", "A tab inside the value of \"{}\" is not allowed.",
                          key);
  }
  remarks_.note(place, "unknown-field", "The unknown field \"{}\" is ignored.", key);
}

void PolicyReader::check_complete() {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kRequired{
      {{"version", "missing-version"}, {"mode", "missing-mode"}, {"max_age", "missing-max-age"}}};
  for (const auto& [field, code] : kRequired) {
    if (fields_seen_.contains(field)) continue;
    remarks_.error({}, code, "The field \"{}\" is missing (in lower case).", field);
  }
  if (!mode_valid_) return;
  const bool none = policy_.mode == StsMode::none;
  if (!mx_seen_ && !none) {
    remarks_.error({}, "missing-mx", "Mode {} needs at least one mx.", name_of(policy_.mode));
  }
  if (mx_seen_ && none) {
    remarks_.note({}, "mode-none-with-mx", "Mode none does not use the mx fields.");
  }
}

}  // namespace

Result<MxPattern> MxPattern::parse(std::string_view text) {
  constexpr std::string_view kWildcard = "*.";
  const bool wildcard = text.starts_with(kWildcard);
  auto domain = Domain::parse(wildcard ? text.substr(kWildcard.size()) : text);
  if (!domain) return tl::unexpected(std::move(domain.error()));
  for (std::string_view label : split(domain->text(), '.')) {
    if (!is_host_label(label)) return failure("\"{}\" is no label of a host name", escape(label));
  }
  MxPattern pattern(wildcard, *std::move(domain));
  if (const auto size = pattern.text().size(); size > kMaxDomainLength) {
    return failure("pattern of {} octets, at most {}", size, kMaxDomainLength);
  }
  return pattern;
}

bool MxPattern::matches(const Domain& mx_host) const {
  if (!wildcard_) return mx_host == domain_;
  const std::string_view host = mx_host.text();
  const auto dot = host.find('.');
  return dot != std::string_view::npos && host.substr(dot + 1) == domain_.text();
}

std::string MxPattern::text() const { return (wildcard_ ? "*." : "") + domain_.text(); }

bool StsPolicy::allows(const Domain& mx_host) const {
  return std::any_of(mx.begin(), mx.end(),
                     [&mx_host](const MxPattern& pattern) { return pattern.matches(mx_host); });
}

Result<StsPolicy> parse_sts_policy(std::string_view body, std::vector<LintFinding>* findings) {
  Remarks remarks(findings);
  if (body.size() > kMaxPolicyBody) {
    remarks.error({}, "too-large", "The policy has more than {} octets.", kMaxPolicyBody);
    return failure("{}", remarks.first_error());
  }
  PolicyReader reader(remarks);
  reader.read(body);
  if (!remarks.failed()) return reader.take();
  if (remarks.first_line() == 0) return failure("{}", remarks.first_error());
  return failure("line {}: {}", remarks.first_line(), remarks.first_error());
}

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
#include "policy/domain.h"

#include <unicode/ucasemap.h>
#include <unicode/uidna.h>

#include <algorithm>
#include <array>
#include <memory>

#include "base/text.h"
#include "policy/unicode_name.h"

namespace sealane {
namespace {

/// Octets that the IDN library may read or write: many times a legal name, in UTF-8 too.
constexpr std::size_t kMaxIdnLength = 1024;

bool is_label_octet(char c) { return is_lower(c) || is_digit(c) || c == '-' || c == '_'; }

std::string check_label(std::string_view label) {
  if (label.empty()) return "empty label";
  if (label.size() > kMaxLabelLength) {
    return fmt::format("label of {} octets, at most {}", label.size(), kMaxLabelLength);
  }
  const auto bad = std::find_if_not(label.begin(), label.end(), is_label_octet);
  if (bad == label.end()) return {};
  return fmt::format("'{}' is not allowed in a name", escape(std::string_view(&*bad, 1)));
}

/// The conversion with the option that Postfix uses.  Made once: an instance is immutable and may
/// be used by several threads.  Null if ICU lacks its data.
const UIDNA* uts46() {
  struct Close {
    void operator()(UIDNA* idna) const { uidna_close(idna); }
  };
  static const std::unique_ptr<UIDNA, Close> instance = [] {
    UErrorCode status = U_ZERO_ERROR;
    UIDNA* opened = uidna_openUTS46(UIDNA_NONTRANSITIONAL_TO_ASCII, &status);
    return std::unique_ptr<UIDNA, Close>(U_SUCCESS(status) ? opened : nullptr);
  }();
  return instance.get();
}

/// As Postfix folds the keys of its tables.
std::optional<std::string> fold_case(const std::string& utf8) {
  UErrorCode status = U_ZERO_ERROR;
  UCaseMap* map = ucasemap_open("", U_FOLD_CASE_DEFAULT, &status);
  const std::unique_ptr<UCaseMap, decltype(&ucasemap_close)> owner(map, ucasemap_close);
  std::array<char, kMaxIdnLength> folded;
  const auto length =
      ucasemap_utf8FoldCase(map, folded.data(), static_cast<int32_t>(folded.size()), utf8.data(),
                            static_cast<int32_t>(utf8.size()), &status);
  if (U_FAILURE(status)) return std::nullopt;
  return std::string(folded.data(), static_cast<std::size_t>(length));
}

}  // namespace

bool is_ascii(std::string_view name) {
  return std::all_of(name.begin(), name.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

Result<Domain> Domain::parse(std::string_view ascii) {
  if (!is_ascii(ascii)) return failure("not ASCII: \"{}\"", escape(ascii));
  std::string_view name = ascii;
  if (name.ends_with('.')) name.remove_suffix(1);
  if (name.empty()) return failure("empty name");
  if (name.size() > kMaxDomainLength) {
    return failure("name of {} octets, at most {}", name.size(), kMaxDomainLength);
  }
  std::string folded = lower_ascii(name);
  for (std::string_view label : split(folded, '.')) {
    const std::string problem = check_label(label);
    if (!problem.empty()) return failure("{} in \"{}\"", problem, escape(ascii));
  }
  return Domain(std::move(folded));
}

Result<Domain> Domain::parse_idn(std::string_view utf8) {
  if (is_ascii(utf8)) return parse(utf8);
  if (utf8.size() > kMaxIdnLength) {
    return failure("name of {} octets, at most {}", utf8.size(), kMaxIdnLength);
  }
  const UIDNA* idna = uts46();
  if (idna == nullptr) return failure("no IDN conversion: ICU could not be initialised");

  std::array<char, kMaxIdnLength> converted;
  UIDNAInfo info = UIDNA_INFO_INITIALIZER;
  UErrorCode status = U_ZERO_ERROR;
  const auto length =
      uidna_nameToASCII_UTF8(idna, utf8.data(), static_cast<int32_t>(utf8.size()), converted.data(),
                             static_cast<int32_t>(converted.size()), &info, &status);
  if (U_FAILURE(status)) {
    return failure("no A-label form of \"{}\": {}", escape(utf8), u_errorName(status));
  }
  if (info.errors != 0) {
    return failure("no A-label form of \"{}\": UTS 46 error {:#x}", escape(utf8), info.errors);
  }
  return parse(std::string_view(converted.data(), static_cast<std::size_t>(length)));
}

Result<Domain> Domain::below(std::string_view prefix) const {
  return parse(fmt::format("{}.{}", prefix, text_));
}

std::optional<std::string> unicode_name(const Domain& domain) {
  const std::string& text = domain.text();
  const UIDNA* idna = uts46();
  if (idna == nullptr || text.find("xn--") == std::string::npos) return std::nullopt;
  std::array<char, kMaxIdnLength> converted;
  UIDNAInfo info = UIDNA_INFO_INITIALIZER;
  UErrorCode status = U_ZERO_ERROR;
  const auto length = uidna_nameToUnicodeUTF8(
      idna, text.data(), static_cast<int32_t>(text.size()), converted.data(),
      static_cast<int32_t>(converted.size()), &info, &status);
  if (U_FAILURE(status) || info.errors != 0) return std::nullopt;
  std::string name(converted.data(), static_cast<std::size_t>(length));
  const std::optional<std::string> folded = fold_case(name);
  if (!folded || is_ascii(name)) return std::nullopt;
  const Result<Domain> again = Domain::parse_idn(*folded);
  if (!again || *again != domain) return std::nullopt;
  return name;
}

}  // namespace sealane

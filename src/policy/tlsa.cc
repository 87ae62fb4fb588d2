// SPDX-License-Identifier: Apache-2.0
#include "policy/tlsa.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <limits>
#include <memory>
#include <numeric>
#include <tuple>
#include <utility>

#include "base/text.h"

namespace sealane {
namespace {

constexpr std::uint8_t kUsageTa = 2;
constexpr std::uint8_t kUsageEe = 3;
constexpr std::uint8_t kSelectorCert = 0;
constexpr std::uint8_t kSelectorSpki = 1;
constexpr std::uint8_t kMatchFull = 0;
constexpr std::uint8_t kMatchSha256 = 1;
constexpr std::uint8_t kMatchSha512 = 2;
constexpr std::uint8_t kPrivate = 255;  // RFC 7218

/// Octets before the association data: usage, selector, matching type (RFC 6698 2.1).
constexpr std::size_t kFixedOctets = 3;

bool has_smtp_usage(const TlsaRecord& record) {
  return record.usage == kUsageTa || record.usage == kUsageEe;
}

/// Leaves OpenSSL's error queue as it was: what a foreign record does to it concerns nobody.
class QuietOpenssl {
 public:
  QuietOpenssl() { ERR_set_mark(); }
  ~QuietOpenssl() { ERR_pop_to_mark(); }
  QuietOpenssl(const QuietOpenssl&) = delete;
  QuietOpenssl& operator=(const QuietOpenssl&) = delete;
};

/// A certificate, up to its last octet, with a public key that OpenSSL can decode: what the MTA
/// asks of it too.
bool is_certificate(std::span<const std::uint8_t> der) {
  const QuietOpenssl quiet;
  const unsigned char* at = der.data();
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(
      d2i_X509(nullptr, &at, static_cast<long>(der.size())), X509_free);
  return certificate != nullptr && at == der.data() + der.size() &&
         X509_get0_pubkey(certificate.get()) != nullptr;
}

bool is_public_key(std::span<const std::uint8_t> der) {
  const QuietOpenssl quiet;
  const unsigned char* at = der.data();
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
      d2i_PUBKEY(nullptr, &at, static_cast<long>(der.size())), EVP_PKEY_free);
  return key != nullptr && at == der.data() + der.size();
}

std::string wrong_length(const TlsaRecord& record, std::string_view digest, std::size_t right) {
  if (record.data.size() == right) return {};
  return fmt::format("{} octets of data, {} has {}", record.data.size(), digest, right);
}

std::string problem_of_full_data(const TlsaRecord& record) {
  if (record.selector == kSelectorCert) {
    return is_certificate(record.data) ? "" : "the data is no well-formed certificate";
  }
  return is_public_key(record.data) ? "" : "the data is no well-formed public key";
}

/// Why the record by itself cannot be used; empty if it can.
std::string problem_of(const TlsaRecord& record) {
  if (record.usage < kUsageTa) {
    return fmt::format("usage {} (PKIX) is not for SMTP", record.usage);
  }
  if (!has_smtp_usage(record)) return fmt::format("unknown usage {}", record.usage);
  if (record.selector > kSelectorSpki) return fmt::format("unknown selector {}", record.selector);
  if (record.matching_type > kMatchSha512) {
    return fmt::format("unknown matching type {}", record.matching_type);
  }
  if (record.data.empty()) return "no association data";
  if (record.data.size() > kMaxTlsaData) {
    return fmt::format("{} octets of data, at most {} are read", record.data.size(), kMaxTlsaData);
  }
  switch (record.matching_type) {
    case kMatchSha256:
      return wrong_length(record, "SHA2-256", SHA256_DIGEST_LENGTH);
    case kMatchSha512:
      return wrong_length(record, "SHA2-512", SHA512_DIGEST_LENGTH);
    default:
      return problem_of_full_data(record);
  }
}

/// Indices of the records that are judged.  The order of an RRset changes with every answer, so
/// the choice from an oversized one goes by content; what is not for SMTP comes last.
std::vector<std::size_t> chosen(const std::vector<TlsaRecord>& records) {
  std::vector<std::size_t> indices(records.size());
  std::iota(indices.begin(), indices.end(), std::size_t{0});
  if (indices.size() <= kMaxTlsaRecords) return indices;
  std::sort(indices.begin(), indices.end(), [&records](std::size_t a, std::size_t b) {
    const bool a_last = !has_smtp_usage(records[a]);
    const bool b_last = !has_smtp_usage(records[b]);
    return std::tie(a_last, records[a], a) < std::tie(b_last, records[b], b);
  });
  indices.resize(kMaxTlsaRecords);
  return indices;
}

/// RFC 7671 9: of the digests over the same thing, only the strongest counts; full data stays.
void apply_digest_agility(std::vector<JudgedTlsa>& judged) {
  const auto strongest_kind_of = [&judged](const TlsaRecord& like) {
    std::uint8_t strongest = kMatchFull;
    for (const JudgedTlsa& other : judged) {
      const TlsaRecord& record = other.record;
      if (!other.usable || record.usage != like.usage || record.selector != like.selector) continue;
      strongest = std::max(strongest, record.matching_type);
    }
    return strongest;
  };
  std::vector<JudgedTlsa*> weaker;
  for (JudgedTlsa& one : judged) {
    const std::uint8_t kind = one.record.matching_type;
    if (!one.usable || kind == kMatchFull) continue;
    if (kind < strongest_kind_of(one.record)) weaker.push_back(&one);
  }
  for (JudgedTlsa* one : weaker) {
    one->usable = false;
    one->superseded = true;
    one->why = fmt::format("a stronger digest is there ({} {} {})", one->record.usage,
                           one->record.selector, kMatchSha512);
  }
}

template <std::size_t N>
std::string name_or_number(const std::array<std::string_view, N>& names,
                           std::string_view if_private, std::uint8_t value) {
  if (value < N) return std::string(names[value]);
  return value == kPrivate ? std::string(if_private) : std::to_string(value);
}

}  // namespace

Result<TlsaRecord> parse_tlsa_rdata(std::span<const std::uint8_t> rdata) {
  if (rdata.size() <= kFixedOctets) {
    return failure("TLSA data of {} octets: no association data", rdata.size());
  }
  const auto data = rdata.subspan(kFixedOctets);
  return TlsaRecord{rdata[0], rdata[1], rdata[2], {data.begin(), data.end()}};
}

Result<TlsaRecord> parse_tlsa_text(std::string_view text) {
  constexpr std::array<std::string_view, kFixedOctets> kFields{"usage", "selector",
                                                               "matching type"};
  const auto pieces = words(text);
  std::array<std::uint8_t, kFixedOctets> fixed{};
  for (std::size_t i = 0; i < kFixedOctets; ++i) {
    if (i >= pieces.size()) return failure("no {}", kFields[i]);
    const auto number = parse_decimal(pieces[i], std::numeric_limits<std::uint8_t>::max());
    if (!number) return failure("{} is not a number 0-255: \"{}\"", kFields[i], escape(pieces[i]));
    fixed[i] = static_cast<std::uint8_t>(*number);
  }
  std::string digits;
  for (std::size_t i = kFixedOctets; i < pieces.size(); ++i) digits += pieces[i];
  if (digits.empty()) return failure("no association data");
  auto data = from_hex(digits);
  if (!data) return failure("the data is no even number of hexadecimal digits");
  return TlsaRecord{fixed[0], fixed[1], fixed[2], *std::move(data)};
}

std::string to_text(const TlsaRecord& record, std::size_t data_octets) {
  const bool cut = record.data.size() > data_octets;
  const std::span<const std::uint8_t> data(record.data);
  return fmt::format("{} {} {} {}{}", record.usage, record.selector, record.matching_type,
                     to_hex(cut ? data.first(data_octets) : data), cut ? "..." : "");
}

std::string acronyms(const TlsaRecord& record) {
  constexpr std::array<std::string_view, 4> kUsages{"PKIX-TA", "PKIX-EE", "DANE-TA", "DANE-EE"};
  constexpr std::array<std::string_view, 2> kSelectors{"Cert", "SPKI"};
  constexpr std::array<std::string_view, 3> kTypes{"Full", "SHA2-256", "SHA2-512"};
  return fmt::format("{} {} {}", name_or_number(kUsages, "PrivCert", record.usage),
                     name_or_number(kSelectors, "PrivSel", record.selector),
                     name_or_number(kTypes, "PrivMatch", record.matching_type));
}

std::vector<JudgedTlsa> judge_tlsa(std::vector<TlsaRecord> records) {
  std::vector<JudgedTlsa> judged(records.size());
  for (JudgedTlsa& one : judged) {
    one.why = fmt::format("more than {} records", kMaxTlsaRecords);
  }
  for (std::size_t i : chosen(records)) {
    judged[i].why = problem_of(records[i]);
    judged[i].usable = judged[i].why.empty();
  }
  for (std::size_t i = 0; i < records.size(); ++i) judged[i].record = std::move(records[i]);
  apply_digest_agility(judged);
  return judged;
}

Result<std::string> sha256_fingerprint(const TlsaRecord& record) {
  const std::string problem = problem_of(record);
  if (!problem.empty()) return failure("{}", problem);
  if (record.usage != kUsageEe) return failure("usage {} names no single key", record.usage);
  if (record.matching_type == kMatchSha512) return failure("a SHA2-512 digest");
  if (record.matching_type == kMatchSha256) return to_hex(record.data);
  std::array<std::uint8_t, SHA256_DIGEST_LENGTH> digest{};
  if (EVP_Digest(record.data.data(), record.data.size(), digest.data(), nullptr, EVP_sha256(),
                 nullptr) != 1) {
    return failure("SHA-256 failed");
  }
  return to_hex(digest);
}

}  // namespace sealane

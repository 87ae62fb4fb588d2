// SPDX-License-Identifier: Apache-2.0
// TLSA records and whether an SMTP client may use them (RFC 6698, 7671, 7672).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sealane {

/// Most association data that is looked at, in octets: a certificate is a few thousand.
inline constexpr std::size_t kMaxTlsaData = 16 * 1024;
/// Most records of one RRset that are judged; further ones are unusable.
inline constexpr std::size_t kMaxTlsaRecords = 100;

struct TlsaRecord {
  std::uint8_t usage = 0;
  std::uint8_t selector = 0;
  std::uint8_t matching_type = 0;
  std::vector<std::uint8_t> data;
  friend bool operator==(const TlsaRecord&, const TlsaRecord&) = default;
  friend auto operator<=>(const TlsaRecord&, const TlsaRecord&) = default;
};

/// Reads RDATA; anything shorter than four octets has no association data and fails.
Result<TlsaRecord> parse_tlsa_rdata(std::span<const std::uint8_t> rdata);

/// Reads the presentation form "3 1 1 AB12…" (blanks inside the hexadecimal part are allowed).
Result<TlsaRecord> parse_tlsa_text(std::string_view text);

/// "3 1 1 ab12…", the data cut after `data_octets` octets.
std::string to_text(const TlsaRecord& record, std::size_t data_octets = kMaxTlsaData);

/// "DANE-EE SPKI SHA2-256" (RFC 7218); unassigned numbers stay numbers.
std::string acronyms(const TlsaRecord& record);

struct JudgedTlsa {
  TlsaRecord record;
  bool usable = false;
  std::string why;  ///< why it is not usable; empty when it is
  /// Well formed, but digest agility puts a stronger digest in its place; `usable` is false.
  bool superseded = false;
};

/// Judges an RRset: each record by itself (usage 2 or 3, known selector and matching type, right
/// length, well-formed DER), then digest agility within each usage and selector (RFC 7671 9).
/// Order is kept.  Which records of an oversized RRset are judged does not depend on their order.
/// Pure.
std::vector<JudgedTlsa> judge_tlsa(std::vector<TlsaRecord> records);

/// The SHA-256 digest, lower-case hex, that stands for a usable DANE-EE record in a list of
/// certificate or key fingerprints: of 3 0 1, 3 1 1, and of full data; fails for others.
Result<std::string> sha256_fingerprint(const TlsaRecord& record);

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
#include "policy/tlsa.h"

#include <doctest/doctest.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "base/text.h"

using namespace sealane;

namespace {

using Octets = std::vector<std::uint8_t>;

TlsaRecord record(std::uint8_t usage, std::uint8_t selector, std::uint8_t type, Octets data) {
  return TlsaRecord{usage, selector, type, std::move(data)};
}
TlsaRecord sha256(std::uint8_t usage, std::uint8_t selector, std::uint8_t fill = 0xab) {
  return record(usage, selector, 1, Octets(32, fill));
}
TlsaRecord sha512(std::uint8_t usage, std::uint8_t selector, std::uint8_t fill = 0xcd) {
  return record(usage, selector, 2, Octets(64, fill));
}

/// A fresh key with a self-signed certificate, both in DER.
struct Identity {
  Octets certificate;
  Octets public_key;
};

Identity make_identity() {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), X509_free);
  REQUIRE(key != nullptr);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), 0);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 86400);
  X509_set_pubkey(certificate.get(), key.get());
  REQUIRE(X509_sign(certificate.get(), key.get(), EVP_sha256()) > 0);

  Identity identity;
  identity.certificate.resize(static_cast<std::size_t>(i2d_X509(certificate.get(), nullptr)));
  unsigned char* at = identity.certificate.data();
  i2d_X509(certificate.get(), &at);
  identity.public_key.resize(static_cast<std::size_t>(i2d_PUBKEY(key.get(), nullptr)));
  at = identity.public_key.data();
  i2d_PUBKEY(key.get(), &at);
  return identity;
}

JudgedTlsa judged(TlsaRecord one) { return judge_tlsa({std::move(one)}).front(); }
bool usable(TlsaRecord one) { return judged(std::move(one)).usable; }

std::string hash_of(const Octets& data) {
  Octets digest(SHA256_DIGEST_LENGTH);
  SHA256(data.data(), data.size(), digest.data());
  return to_hex(digest);
}

}  // namespace

TEST_CASE("RDATA needs one octet of association data") {
  const Octets shortest{3, 1, 1, 0xab};
  const auto parsed = parse_tlsa_rdata(shortest);
  REQUIRE(parsed.has_value());
  CHECK(*parsed == record(3, 1, 1, {0xab}));
  for (std::size_t size = 0; size < 4; ++size) {
    CHECK_FALSE(parse_tlsa_rdata(std::span(shortest).first(size)).has_value());
  }
}

TEST_CASE("the presentation form may have blanks in its data and any case") {
  CHECK(*parse_tlsa_text("3 1 1 ABcd") == record(3, 1, 1, {0xab, 0xcd}));
  CHECK(*parse_tlsa_text("  255\t0 2  ab cd\tEF ") == record(255, 0, 2, {0xab, 0xcd, 0xef}));
  CHECK(*parse_tlsa_text("3 1 1 a bcd") == record(3, 1, 1, {0xab, 0xcd}));
}

TEST_CASE("a presentation form that is cut, odd or not numeric is refused") {
  for (const char* text : {"", "3", "3 1", "3 1 1", "3 1 1 abc", "3 1 1 xy", "256 1 1 ab",
                           "-1 1 1 ab", "3 SPKI 1 ab", "DANE-EE 1 1 ab", "3 1 1 0xab"}) {
    CHECK_MESSAGE(!parse_tlsa_text(text).has_value(), text);
  }
}

TEST_CASE("the text of a record reads back, and its data can be cut for display") {
  const TlsaRecord one = sha256(3, 1);
  CHECK(*parse_tlsa_text(to_text(one)) == one);
  CHECK(to_text(record(3, 1, 1, {1, 2, 3}), 2) == "3 1 1 0102...");
  CHECK(to_text(record(3, 1, 1, {1, 2}), 2) == "3 1 1 0102");
}

TEST_CASE("acronyms are those of RFC 7218 and unassigned numbers stay numbers") {
  CHECK(acronyms(sha256(3, 1)) == "DANE-EE SPKI SHA2-256");
  CHECK(acronyms(sha512(2, 0)) == "DANE-TA Cert SHA2-512");
  CHECK(acronyms(record(0, 0, 0, {1})) == "PKIX-TA Cert Full");
  CHECK(acronyms(record(1, 2, 3, {1})) == "PKIX-EE 2 3");
  CHECK(acronyms(record(255, 255, 255, {1})) == "PrivCert PrivSel PrivMatch");
}

TEST_CASE("only usages 2 and 3 are for SMTP") {
  for (int usage = 0; usage < 256; ++usage) {
    const bool expected = usage == 2 || usage == 3;
    CHECK_MESSAGE(usable(sha256(static_cast<std::uint8_t>(usage), 1)) == expected, usage);
  }
}

TEST_CASE("only selectors 0 and 1 and matching types 0 to 2 are known") {
  for (int value = 0; value < 256; ++value) {
    const auto number = static_cast<std::uint8_t>(value);
    CHECK_MESSAGE(usable(sha256(3, number)) == (value < 2), value);
    if (value > 2) CHECK_MESSAGE(!usable(record(3, 1, number, Octets(32, 1))), value);
  }
}

TEST_CASE("a digest has exactly its length") {
  for (std::size_t size : {0u, 1u, 20u, 31u, 33u, 63u, 64u, 65u}) {
    CHECK_MESSAGE(!usable(record(3, 1, 1, Octets(size, 1))), size);
  }
  for (std::size_t size : {0u, 32u, 63u, 65u}) {
    CHECK_MESSAGE(!usable(record(3, 1, 2, Octets(size, 1))), size);
  }
  CHECK(usable(record(3, 1, 1, Octets(32, 1))));
  CHECK(usable(record(3, 1, 2, Octets(64, 1))));
}

TEST_CASE("full data is one complete certificate or public key, as the selector says") {
  const Identity identity = make_identity();
  for (std::uint8_t usage : {2, 3}) {
    CHECK(usable(record(usage, 0, 0, identity.certificate)));
    CHECK(usable(record(usage, 1, 0, identity.public_key)));
    CHECK_FALSE(usable(record(usage, 0, 0, identity.public_key)));
    CHECK_FALSE(usable(record(usage, 1, 0, identity.certificate)));
    CHECK_FALSE(usable(record(usage, 0, 0, {})));
    CHECK_FALSE(usable(record(usage, 1, 0, {0})));
  }
  for (const auto& [selector, whole] :
       {std::pair{0, identity.certificate}, std::pair{1, identity.public_key}}) {
    Octets longer = whole;
    longer.push_back(0);
    CHECK_FALSE(usable(record(3, static_cast<std::uint8_t>(selector), 0, longer)));
    Octets shorter = whole;
    shorter.pop_back();
    CHECK_FALSE(usable(record(3, static_cast<std::uint8_t>(selector), 0, shorter)));
  }
}

TEST_CASE("data of 16 KiB is looked at and longer data is not") {
  const std::string at_limit = judged(record(3, 0, 0, Octets(kMaxTlsaData, 0x30))).why;
  const std::string above = judged(record(3, 0, 0, Octets(kMaxTlsaData + 1, 0x30))).why;
  CHECK(at_limit.find("certificate") != std::string::npos);
  CHECK(above.find("at most 16384") != std::string::npos);
}

TEST_CASE("judging foreign data leaves OpenSSL's error queue as it was") {
  ERR_clear_error();
  judged(record(3, 0, 0, {1, 2, 3}));
  judged(record(3, 1, 0, Octets(100, 0x30)));
  CHECK(ERR_peek_error() == 0);
  ERR_raise(ERR_LIB_USER, 7);
  judged(record(3, 0, 0, {1, 2, 3}));
  CHECK(ERR_GET_REASON(ERR_get_error()) == 7);
  CHECK(ERR_get_error() == 0);
}

TEST_CASE("a stronger digest supersedes a weaker one of the same usage and selector") {
  const auto set = judge_tlsa({sha256(3, 1), sha512(3, 1), sha256(3, 1, 0x01)});
  CHECK_FALSE(set[0].usable);
  CHECK(set[0].superseded);
  CHECK_FALSE(set[0].why.empty());
  CHECK(set[1].usable);
  CHECK_FALSE(set[2].usable);
}

TEST_CASE("digest agility stays within a usage and a selector and spares full data") {
  const Identity identity = make_identity();
  const auto set = judge_tlsa({sha256(3, 0), sha256(2, 1), sha512(3, 1),
                               record(3, 1, 0, identity.public_key), sha512(3, 1, 0x01)});
  for (const JudgedTlsa& one : set) CHECK_MESSAGE(one.usable, to_text(one.record, 2));
}

TEST_CASE("what is malformed or unknown supersedes nothing") {
  const auto set = judge_tlsa({sha256(3, 1), record(3, 1, 2, Octets(63, 1)),
                               record(3, 1, 3, Octets(64, 1)), record(3, 1, 255, Octets(64, 1))});
  CHECK(set[0].usable);
  for (std::size_t i = 1; i < set.size(); ++i) {
    CHECK_FALSE(set[i].usable);
    CHECK_FALSE(set[i].superseded);
  }
}

TEST_CASE("an RRset keeps its order and tells why each record is not usable") {
  const auto set = judge_tlsa({sha256(0, 1), sha256(3, 1), sha256(4, 1)});
  REQUIRE(set.size() == 3);
  CHECK(set[0].record.usage == 0);
  CHECK(set[0].why == "usage 0 (PKIX) is not for SMTP");
  CHECK(set[1].why.empty());
  CHECK(set[2].why == "unknown usage 4");
  CHECK(judge_tlsa({}).empty());
}

TEST_CASE("a hundred records are judged, and the order of a larger set does not matter") {
  std::vector<TlsaRecord> records;
  for (std::uint8_t i = 0; i < kMaxTlsaRecords; ++i) records.push_back(sha256(3, 1, i));
  const auto count = [](const std::vector<JudgedTlsa>& set) {
    return std::count_if(set.begin(), set.end(), [](const JudgedTlsa& one) { return one.usable; });
  };
  CHECK(count(judge_tlsa(records)) == 100);
  records.push_back(sha256(3, 1, 200));
  records.insert(records.begin(), sha256(0, 0));
  const auto forward = judge_tlsa(records);
  CHECK(count(forward) == 100);
  CHECK_FALSE(forward.back().usable);
  CHECK_FALSE(forward.front().usable);

  std::reverse(records.begin(), records.end());
  auto backward = judge_tlsa(records);
  std::reverse(backward.begin(), backward.end());
  for (std::size_t i = 0; i < forward.size(); ++i) {
    CHECK(forward[i].record == backward[i].record);
    CHECK(forward[i].usable == backward[i].usable);
  }
}

TEST_CASE("a fingerprint stands for DANE-EE with SHA-256 or with full data") {
  const Identity identity = make_identity();
  CHECK(*sha256_fingerprint(sha256(3, 0)) == to_hex(Octets(32, 0xab)));
  CHECK(*sha256_fingerprint(sha256(3, 1)) == to_hex(Octets(32, 0xab)));
  CHECK(*sha256_fingerprint(record(3, 0, 0, identity.certificate)) ==
        hash_of(identity.certificate));
  CHECK(*sha256_fingerprint(record(3, 1, 0, identity.public_key)) == hash_of(identity.public_key));
}

TEST_CASE("there is no fingerprint of trust anchors, SHA-512 or unusable records") {
  const Identity identity = make_identity();
  CHECK_FALSE(sha256_fingerprint(sha256(2, 1)).has_value());
  CHECK_FALSE(sha256_fingerprint(record(2, 0, 0, identity.certificate)).has_value());
  CHECK_FALSE(sha256_fingerprint(sha512(3, 1)).has_value());
  CHECK_FALSE(sha256_fingerprint(record(3, 1, 1, Octets(31, 1))).has_value());
  CHECK_FALSE(sha256_fingerprint(record(3, 0, 0, {1, 2, 3})).has_value());
  CHECK_FALSE(sha256_fingerprint(sha256(1, 1)).has_value());
}

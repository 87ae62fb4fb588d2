// SPDX-License-Identifier: Apache-2.0
#include "policy/dane.h"

#include <doctest/doctest.h>

#include "policy/decision_case.h"

using namespace sealane;

namespace {

std::string class_of(std::string_view text) {
  return std::string(name_of(classify(dane_of(text))));
}

}  // namespace

TEST_CASE("without TLSA anywhere the class is D0") {
  CHECK(class_of("secure 10 a NONE") == "D0");
  CHECK(class_of("insecure 10 a NONE, 20 b NONE") == "D0");
  CHECK(class_of("secure implicit 0 a NONE") == "D0");
  CHECK(class_of("insecure implicit 0 a NONE") == "D0");
  CHECK(class_of("host 0 a NONE") == "D0");
}

TEST_CASE("DANE at every live host is D-ALL, however many are dead") {
  CHECK(class_of("secure 10 a DANE") == "D-ALL");
  CHECK(class_of("secure 10 a DANE, 10 b DANE, 20 c DANE-TA") == "D-ALL");
  CHECK(class_of("secure 10 a DEAD, 20 b DANE") == "D-ALL");
  CHECK(class_of("secure implicit 0 a DANE") == "D-ALL");
  CHECK(class_of("host 0 a DANE") == "D-ALL");
}

TEST_CASE("DANE beside NONE or ENC is D-MIX") {
  CHECK(class_of("secure 10 a DANE, 20 b NONE") == "D-MIX");
  CHECK(class_of("secure 10 a ENC, 20 b DANE") == "D-MIX");
  CHECK(class_of("secure 10 a DANE, 20 b LITERAL") == "D-MIX");
}

TEST_CASE("ENC without DANE is D-ENC") {
  CHECK(class_of("secure 10 a ENC") == "D-ENC");
  CHECK(class_of("secure 10 a NONE, 20 b ENC") == "D-ENC");
}

TEST_CASE("one failing host under a secure MX makes it D-ERR, whatever the others are") {
  CHECK(class_of("secure 10 a ERR") == "D-ERR");
  CHECK(class_of("secure 10 a DANE, 20 b ERR") == "D-ERR");
  CHECK(class_of("secure 10 a NONE, 20 b ERR-ADDR") == "D-ERR");
  CHECK(class_of("secure 10 a ENC, 20 b DANE, 30 c ERR") == "D-ERR");
}

TEST_CASE("under an insecure MX a failing host is ignored") {
  CHECK(class_of("insecure 10 a ERR") == "D0");
  CHECK(class_of("insecure 10 a NONE, 20 b ERR") == "D0");
  CHECK(class_of("insecure 10 a DANE, 20 b ERR") == "D-INS");
}

TEST_CASE("TLSA behind an insecure MX is D-INS") {
  CHECK(class_of("insecure 10 a DANE") == "D-INS");
  CHECK(class_of("insecure 10 a ENC, 20 b NONE") == "D-INS");
  CHECK(class_of("insecure implicit 0 a DANE") == "D-INS");
}

TEST_CASE("when all hosts are dead it is as if none had DANE") {
  CHECK(class_of("secure 10 a DEAD") == "D0");
  CHECK(class_of("insecure 10 a DEAD, 20 b DEAD") == "D0");
}

TEST_CASE("a failed MX lookup is D-FAIL") { CHECK(class_of("error") == "D-FAIL"); }

TEST_CASE("a failed address lookup of an implicit or [host] destination is D-FAIL") {
  CHECK(class_of("secure implicit 0 a ERR-ADDR") == "D-FAIL");
  CHECK(class_of("insecure implicit 0 a ERR-ADDR") == "D-FAIL");
  CHECK(class_of("host 0 a ERR-ADDR") == "D-FAIL");
}

TEST_CASE("a failed TLSA lookup there is D-ERR: where it is is known") {
  CHECK(class_of("secure implicit 0 a ERR") == "D-ERR");
  CHECK(class_of("host 0 a ERR") == "D-ERR");
}

TEST_CASE("a failed address lookup of an MX host is not D-FAIL") {
  CHECK(class_of("secure 10 a ERR-ADDR") == "D-ERR");
  CHECK(class_of("insecure 10 a ERR-ADDR") == "D0");
}

TEST_CASE("null MX, NXDOMAIN and no address have their classes") {
  CHECK(class_of("null") == "D-NULL");
  CHECK(class_of("nx") == "D-NX");
  CHECK(class_of("nodata") == "D-NX");
}

TEST_CASE("nothing is decided on a part of too many hosts, or on none") {
  CHECK(class_of("many secure") == "D-FAIL");
  CHECK(class_of("many insecure") == "D-FAIL");
  CHECK(class_of("empty") == "D-FAIL");
}

TEST_CASE("a [host] key has nothing to prove") {
  DaneFinding finding = dane_of("host 0 a DANE");
  finding.mx_secure = false;
  CHECK(is_mx_secure(finding));
  CHECK(classify(finding) == DaneClass::all);
}

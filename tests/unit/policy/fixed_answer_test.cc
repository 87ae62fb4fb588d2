// SPDX-License-Identifier: Apache-2.0
#include "policy/fixed_answer.h"

#include <doctest/doctest.h>

#include <string>

using namespace sealane;

namespace {

struct Row {
  std::string text;
  const char* error;  ///< a part of it; null: there is none
};

void check(const std::initializer_list<Row>& rows, Result<void> (*judge)(std::string_view)) {
  for (const Row& row : rows) {
    CAPTURE(row.text);
    const auto judged = judge(row.text);
    const std::string said = judged ? "no error" : judged.error();
    CAPTURE(said);
    CHECK(judged.has_value() == (row.error == nullptr));
    if (row.error != nullptr) CHECK(said.find(row.error) != std::string::npos);
  }
}

const std::string kSha256(64, 'a');

}  // namespace

TEST_CASE("a fixed answer for Postfix is what Postfix 3.4 takes") {
  check(
      {
          {"none", nullptr},
          {"may", nullptr},
          {"Encrypt", nullptr},
          {"dane", nullptr},
          {"dane-only", nullptr},
          {"fingerprint", nullptr},
          {"verify", nullptr},
          {"secure", nullptr},
          {"secure match=mx.a.test servername=hostname", nullptr},
          {"  secure,match=mx.a.test , servername=hostname ", nullptr},
          {"secure match=mx.a.test:.b.test:hostname:nexthop:dot-nexthop", nullptr},
          {"secure match=a.test match=b.test MATCH=c.test", nullptr},
          {"verify match=xn--bcher-kva.test tafile=/etc/a.pem tafile=/etc/b.pem", nullptr},
          {"fingerprint match=" + kSha256 + "|" + kSha256, nullptr},
          {"fingerprint match=AB:CD:EF:01:23:45:67:89:AB:CD:EF:01:23:45:67:89", nullptr},
          {"encrypt ciphers=high protocols=!TLSv1:!TLSv1.1 exclude=aNULL:MD5", nullptr},
          {"may protocols=tlsv1.2:TLSv1.3 connection_reuse=no ciphers=Medium", nullptr},
          {"dane servername=nexthop connection_reuse=YES", nullptr},
          {"secure servername=mx.a.test", nullptr},

          {"", "no level; levels are none, may, encrypt"},
          {" , ", "no level"},
          {"OK secure", "\"OK\" is no level"},
          {"halfdane", "\"halfdane\" is no level"},
          {"secure match", "\"match\" is no attribute; write name=value"},
          {"secure match=", "match= has no value; give one or leave it out"},
          {"secure foo=bar", "unknown attribute \"foo\"; there are ciphers"},
          {"secure =bar", "unknown attribute \"\""},
          {"none ciphers=high", "level none takes no attributes; leave them out"},
          {"may match=a.test", "match= does not go with level may"},
          {"encrypt match=a.test", "match= does not go with level encrypt"},
          {"dane-only match=a.test", "match= does not go with level dane-only"},
          {"secure match=a.test.", "match=a.test.: leave the last dot out"},
          {"secure match=*.a.test", "match=*.a.test: Postfix writes \".a.test\""},
          {"secure match=a.test::b.test", "match= has an empty name"},
          {"secure match=Hostname", "match=Hostname: write it in lower case"},
          {"secure match=192.0.2.1", "no host name"},
          {"secure match=-a.test", "no host name"},
          {"secure match=..a.test", "no host name"},
          {"secure match=a|b", "no host name"},
          {"fingerprint match=a.test", "no digest in hexadecimal; separate digests by \"|\""},
          {"fingerprint match=" + kSha256.substr(1), "no digest"},
          {"fingerprint match=" + kSha256 + ":", "no digest"},
          {"fingerprint match=" + kSha256 + "|", "no digest"},
          {"secure servername=HOSTNAME", "servername=HOSTNAME: write it in lower case"},
          {"secure servername=mx.a.test.", "write hostname, nexthop, or a host name"},
          {"secure servername=a servername=b", "servername= is given twice; keep one"},
          {"secure Ciphers=high ciphers=low", "ciphers= is given twice"},
          {"secure ciphers=strong", "ciphers=strong: grades are high, medium"},
          {"secure protocols=>=TLSv1.2", "needs Postfix 3.6; exclude, as in !TLSv1"},
          {"secure protocols=!TLSv1:", "protocols=: names are SSLv3"},
          {"secure protocols=TLS1.2", "protocols=TLS1.2: names are SSLv3"},
          {"secure exclude=a;b", "exclude=a;b: write cipher names"},
          {"encrypt tafile=/etc/a.pem", "tafile= does not go with level encrypt"},
          {"secure tafile=a.pem", "write an absolute path"},
          {"secure connection_reuse=maybe", "connection_reuse=maybe: write yes or no"},
          {"secure enable_rpk=yes", "enable_rpk= is not known to Postfix before 3.9; leave it out"},
          {"secure policy_type=sts", "policy_type= is not known"},
          {"secure { policy_string = a }", "braces need Postfix 3.10"},
          {"secure match=b\xc3\xbc"
           "cher.test",
           "not all is printable ASCII; write names as A-labels"},
          {"secure\nmatch=a.test", "not all is printable ASCII"},
      },
      check_postfix_answer);
}

TEST_CASE("a fixed answer for Exim is a line that it takes apart") {
  check(
      {
          {"level=none", nullptr},
          {"level=dane", nullptr},
          {"level=temp reason=\"wait for the contract\"", nullptr},
          {"level=secure ignore=\"!^mx[.]a[.]test$ : *\" dane=no", nullptr},
          {"  level=\"encrypt\"   dane=no ", nullptr},
          {"level=may mode=testing match=\"^mx[.]a[.]test$\"", nullptr},

          {"", "the line begins with level=, one of none, may, encrypt"},
          {"secure", "\"secure\" is no key=value"},
          {"dane=no level=may", "the line begins with level="},
          {"level=dane-only", "level=dane-only: levels are none, may"},
          {"level=may level=dane", "level= is given twice; keep one"},
          {"level=", "level= has no value"},
          {"level=may dane=", "dane= has no value"},
          {"level=may dane=yes", "dane=yes: write dane=no"},
          {"level=dane dane=no", "dane=no goes with level may, encrypt or secure"},
          {"level=may ignore=\"*\"", "ignore= goes with level=secure only"},
          {"level=secure ignore=\"*", "ignore=\" has no closing quote"},
          {"level=secure", "level=secure needs ignore="},
          {"level=secure dane=no", "level=secure needs ignore="},
          {"level=secure ignore=\"*\"dane=no", "needs a blank behind its closing quote"},
          {"level=secure ignore=a\"b\"", "quote the whole value"},
          {"level=secure ignore=\"!^mx\\.a$ : *\"", "write [.] instead of \\."},
          {"level=secure ignore=x mode=testing", "mode=testing: write mode=testing with level=may"},
          {"level=may mode=enforce", "mode=enforce: write mode=testing"},
          {"level=secure ignore=x match=\"a\"", "match= goes with mode=testing only"},
          {"level=may ttl=5", "unknown key \"ttl\"; there are level, ignore"},
          {"level=may reason=\"f\xc3\xbcr\"", "not all is printable ASCII"},
      },
      check_exim_answer);
}

// SPDX-License-Identifier: Apache-2.0
#include "adapters/redis/shared_row.h"

#include "fakes.h"
#include "policy/sts_policy.h"

namespace sealane {
namespace {

using std::chrono::seconds;
using std::chrono::sys_seconds;

const std::string kRow =
    "sealane-policy 1\ndomain example.net\nid 7\nfetched 1790000000\nexpires 1790086400\n\n"
    "version: STSv1\n";

std::string refusal(const std::string& text) {
  const auto row = read_row_text(domain("example.net"), text);
  return row ? "taken" : row.error();
}

TEST_CASE("keys tell version and purpose") {
  CHECK(policy_key(domain("example.net")) == "sealane:1:policy:example.net");
  CHECK(lock_key(domain("example.net")) == "sealane:1:lock:example.net");
}

TEST_CASE("a row is what the documentation says, and is read back") {
  StoredPolicy policy{"7", "version: STSv1\n", sys_seconds(seconds(1790000000)),
                      sys_seconds(seconds(1790086400))};
  CHECK(row_text(domain("example.net"), policy) == kRow);
  policy.body = std::string("\n\nany \0 octets \xff\r\n", 19);
  policy.id.clear();
  const auto read = read_row_text(domain("example.net"), row_text(domain("example.net"), policy));
  REQUIRE(read.has_value());
  CHECK(*read == policy);
  policy.body.assign(kMaxPolicyBody, 'x');
  CHECK(read_row_text(domain("example.net"), row_text(domain("example.net"), policy)).has_value());
  policy.body += 'x';
  CHECK(refusal(row_text(domain("example.net"), policy)) == "the policy has 65537 octets");
}

TEST_CASE("of a row that is cut off nothing is taken but its policy") {
  const std::size_t head = kRow.find("\n\n") + 2;
  for (std::size_t size = 0; size < head; ++size) {
    CAPTURE(size);
    CHECK(refusal(kRow.substr(0, size)) != "taken");
  }
}

TEST_CASE("a row of another form is refused") {
  const auto changed = [](std::string_view from, std::string_view to) {
    std::string text = kRow;
    text.replace(text.find(from), from.size(), to);
    return refusal(text);
  };
  CHECK(refusal(kRow) == "taken");
  CHECK(changed("policy 1", "policy 2") == "it does not begin with \"sealane-policy 1\"");
  CHECK(changed("sealane", "Sealane") == "it does not begin with \"sealane-policy 1\"");
  CHECK(changed("example.net", "example.org") == "it is not of this domain");
  CHECK(changed("example.net", "example.net ") == "it is not of this domain");
  CHECK(changed("id 7", "ID 7") == "it has no id");
  CHECK(changed("fetched 1", "fetched -1") == "it has no time of fetch");
  CHECK(changed("fetched 1", "fetched  1") == "it has no time of fetch");
  CHECK(changed("1790000000", "99999999999999") == "it has no time of fetch");
  CHECK(changed("1790086400", "0x10") == "it has no end");
  CHECK(changed("expires", "expires 1\nexpires") == "a line is not known");
  CHECK(changed("\n\n", "\nmode none\n\n") == "a line is not known");
}

}  // namespace
}  // namespace sealane

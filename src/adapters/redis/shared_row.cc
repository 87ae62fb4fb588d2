// SPDX-License-Identifier: Apache-2.0
#include "adapters/redis/shared_row.h"

#include <optional>

#include "base/text.h"

namespace sealane {
namespace {

using std::chrono::seconds;
using std::chrono::sys_seconds;

constexpr std::string_view kFirstLine = "sealane-policy 1";
/// 9999-12-31T23:59:59Z, as in the local store.
constexpr std::uint64_t kLastSecond = 253402300799;

/// Cuts "NAME VALUE\n" off the front.
std::optional<std::string_view> take_line(std::string_view& text, std::string_view name) {
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 1);
  if (!line.starts_with(name)) return std::nullopt;
  line.remove_prefix(name.size());
  if (!line.starts_with(' ')) return std::nullopt;
  return line.substr(1);
}

std::optional<sys_seconds> take_time(std::string_view& text, std::string_view name) {
  const auto value = take_line(text, name);
  if (!value) return std::nullopt;
  const auto number = parse_decimal(*value, kLastSecond);
  if (!number) return std::nullopt;
  return sys_seconds(seconds(*number));
}

}  // namespace

std::string policy_key(const Domain& domain) { return "sealane:1:policy:" + domain.text(); }
std::string lock_key(const Domain& domain) { return "sealane:1:lock:" + domain.text(); }

std::string row_text(const Domain& domain, const StoredPolicy& policy) {
  return fmt::format("{}\ndomain {}\nid {}\nfetched {}\nexpires {}\n\n{}", kFirstLine,
                     domain.text(), policy.id, policy.fetched.time_since_epoch().count(),
                     policy.expires.time_since_epoch().count(), policy.body);
}

Result<StoredPolicy> read_row_text(const Domain& domain, std::string_view text) {
  const std::string first = std::string(kFirstLine) + "\n";
  if (!text.starts_with(first)) return failure("it does not begin with \"{}\"", kFirstLine);
  text.remove_prefix(first.size());
  const auto name = take_line(text, "domain");
  if (!name || *name != domain.text()) return failure("it is not of this domain");
  const auto id = take_line(text, "id");
  if (!id) return failure("it has no id");
  const auto fetched = take_time(text, "fetched");
  if (!fetched) return failure("it has no time of fetch");
  const auto expires = take_time(text, "expires");
  if (!expires) return failure("it has no end");
  if (!text.starts_with('\n')) return failure("a line is not known");
  text.remove_prefix(1);
  if (text.size() > kMaxPolicyBody) return failure("the policy has {} octets", text.size());
  return StoredPolicy{std::string(*id), std::string(text), *fetched, *expires};
}

}  // namespace sealane

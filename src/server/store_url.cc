// SPDX-License-Identifier: Apache-2.0
#include "server/store_url.h"

#include <optional>

#include "base/text.h"
#include "policy/domain.h"
#include "server/listener.h"

namespace sealane {
namespace {

constexpr std::string_view kTcp = "redis://";
constexpr std::string_view kTls = "rediss://";
constexpr std::string_view kUnix = "redis+unix://";
constexpr std::string_view kHidden = "***";

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const auto octet = from_hex(text.substr(i + 1, 2));
    if (!octet || octet->size() != 1) return std::nullopt;
    out += static_cast<char>(octet->front());
    i += 2;
  }
  return out;
}

/// "USER:PASSWORD@", which it cuts off the front.  Both may hold a "@" only percent-encoded.
Result<void> take_login(std::string_view& rest, RedisUrl& url) {
  const std::size_t at = rest.substr(0, rest.find_first_of("/?")).rfind('@');
  if (at == std::string_view::npos) return {};
  const std::string_view login = rest.substr(0, at);
  rest.remove_prefix(at + 1);
  const std::size_t colon = login.find(':');
  if (colon == std::string_view::npos || colon + 1 == login.size()) {
    return failure("before \"@\", allowed is USER:PASSWORD, or :PASSWORD");
  }
  auto user = percent_decoded(login.substr(0, colon));
  auto password = percent_decoded(login.substr(colon + 1));
  if (!user || !password) return failure("before \"@\", a \"%\" needs two hexadecimal digits");
  url.user = std::move(*user);
  url.password = std::move(*password);
  return {};
}

Result<void> read_database(std::string_view text, RedisUrl& url) {
  const auto number = parse_decimal(text, kMaxRedisDatabase);
  if (!number) return failure("the database is a number from 0 to {}", kMaxRedisDatabase);
  url.database = static_cast<unsigned>(*number);
  return {};
}

Result<void> read_host(std::string_view text, RedisUrl& url) {
  const bool bracketed = text.starts_with('[');
  const std::size_t end = bracketed ? text.find(']') : text.find(':');
  if (bracketed && end == std::string_view::npos) return failure("\"]\" is missing");
  const std::string_view host = bracketed ? text.substr(1, end - 1) : text.substr(0, end);
  std::string_view rest = text.substr(std::min(text.size(), bracketed ? end + 1 : end));
  const bool good = is_ip_address(host) || (!bracketed && Domain::parse(host).has_value());
  if (!good) return failure("the host is no name and no address");
  url.host = host;
  if (rest.empty()) return {};
  const auto port = rest.starts_with(':') ? parse_decimal(rest.substr(1), 65535) : std::nullopt;
  if (!port || *port == 0) return failure("the port is a number from 1 to 65535");
  url.port = static_cast<std::uint16_t>(*port);
  return {};
}

Result<RedisUrl> parse_unix(std::string_view rest) {
  RedisUrl url;
  if (auto taken = take_login(rest, url); !taken) return tl::unexpected(taken.error());
  const std::size_t question = rest.find('?');
  url.socket = rest.substr(0, question);
  if (!url.socket.starts_with('/') || url.socket.size() > kMaxSocketPath) {
    return failure("allowed is an absolute path of up to {} octets", kMaxSocketPath);
  }
  if (question == std::string_view::npos) return url;
  rest.remove_prefix(question + 1);
  if (!rest.starts_with("db=")) return failure("after \"?\", allowed is db=NUMBER");
  if (auto read = read_database(rest.substr(3), url); !read) return tl::unexpected(read.error());
  return url;
}

Result<RedisUrl> parse_tcp(std::string_view rest) {
  RedisUrl url;
  if (auto taken = take_login(rest, url); !taken) return tl::unexpected(taken.error());
  const std::size_t slash = rest.find('/');
  if (auto read = read_host(rest.substr(0, slash), url); !read) return tl::unexpected(read.error());
  const bool has_database = slash != std::string_view::npos && slash + 1 < rest.size();
  if (!has_database) return url;
  if (auto read = read_database(rest.substr(slash + 1), url); !read) {
    return tl::unexpected(read.error());
  }
  return url;
}

/// For a login that is shown.
std::string percent_encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = is_alpha(c) || is_digit(c) || c == '-' || c == '_' || c == '.';
    if (plain) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

}  // namespace

bool RedisUrl::is_one(std::string_view text) { return text.starts_with("redis"); }

Result<RedisUrl> RedisUrl::parse(std::string_view text) {
  if (text.starts_with(kUnix)) return parse_unix(text.substr(kUnix.size()));
  if (text.starts_with(kTcp)) return parse_tcp(text.substr(kTcp.size()));
  if (!text.starts_with(kTls)) {
    return failure("allowed are redis://, rediss:// and redis+unix://");
  }
  auto url = parse_tcp(text.substr(kTls.size()));
  if (url) url->tls = true;
  return url;
}

std::string RedisUrl::text() const {
  const bool v6 = host.find(':') != std::string::npos;
  const std::string login =
      password.empty() ? "" : fmt::format("{}:{}@", percent_encoded(user), kHidden);
  if (!socket.empty()) {
    return fmt::format("{}{}{}{}", kUnix, login, socket,
                       database == 0 ? "" : fmt::format("?db={}", database));
  }
  return fmt::format("{}{}{}{}{}:{}{}", tls ? kTls : kTcp, login, v6 ? "[" : "", host,
                     v6 ? "]" : "", port, database == 0 ? "" : fmt::format("/{}", database));
}

std::string without_password(std::string_view text) {
  const std::size_t end = text.rfind('@');
  std::size_t begin = text.find(':');
  if (end == std::string_view::npos || begin >= end) return std::string(text);
  begin = text.find_first_not_of('/', begin + 1);
  return std::string(text.substr(0, begin)) + std::string(kHidden) + std::string(text.substr(end));
}

}  // namespace sealane

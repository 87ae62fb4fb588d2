// SPDX-License-Identifier: Apache-2.0
// A request and its response, as those who answer see them: everything decoded and bounded.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/task.h"

namespace sealane {

/// Who is at the other end of a unix socket (SO_PEERCRED).
struct HttpPeer {
  std::uint32_t user = 0;
  std::int32_t process = 0;
};

/// Each name once.
using HttpParameters = std::map<std::string, std::string, std::less<>>;

struct HttpRequest {
  std::string method;
  std::string path;                ///< as sent, without the parameters
  std::vector<std::string> names;  ///< what each "*" of the route stands for, decoded
  HttpParameters parameters;       ///< of those that the route has, decoded
  std::string body;
  std::optional<HttpPeer> peer;  ///< absent on TCP

  /// The parameter's value; empty if it was not given.
  std::string_view parameter(std::string_view name) const {
    const auto found = parameters.find(name);
    return found == parameters.end() ? std::string_view() : std::string_view(found->second);
  }
};

/// Hands out a long answer in pieces, each asked for when the one before has been sent.  An empty
/// piece is "nothing yet": it is asked again a little later.  nullopt: the end.
using HttpPieces = std::function<Task<std::optional<std::string>>()>;

struct HttpResponse {
  unsigned status = 200;
  std::string body;       ///< one JSON value; the line end is added
  std::string more_head;  ///< further fields, each with its CRLF
  HttpPieces pieces;      ///< if set, what is sent instead of `body`: JSON lines

  /// {"error": text}
  static HttpResponse error(unsigned status, std::string_view text, std::string more_head = {});
};

/// Called, and awaited, on the server's executor.  An exception is a bug, answered with 500.
using HttpHandler = std::function<Task<HttpResponse>(HttpRequest)>;

struct HttpRoute {
  std::string method;
  /// "/v1/cache/*/refresh": "*" is one segment, which may hold anything, percent-encoded.  Of two
  /// patterns that fit, the one with the earlier literal counts.
  std::string pattern;
  std::vector<std::string> parameters;  ///< all others are refused
  HttpHandler handler;
  std::size_t max_body = 0;  ///< octets; 0 = no request has a body
};

/// "%61b" => "ab".
std::optional<std::string> percent_decoded(std::string_view text);

}  // namespace sealane

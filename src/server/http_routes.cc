// SPDX-License-Identifier: Apache-2.0
#include "server/http_routes.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <boost/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "base/text.h"

namespace sealane {
namespace {

constexpr std::string_view kAny = "*";

/// "key=a.test&dialect=postfix".  Fails on a parameter that is given twice.
std::optional<HttpParameters> parse_parameters(std::string_view text) {
  HttpParameters parameters;
  if (text.empty()) return parameters;
  for (const std::string_view part : split(text, '&')) {
    const std::size_t equals = std::min(part.find('='), part.size());
    const auto name = percent_decoded(part.substr(0, equals));
    const auto value = percent_decoded(part.substr(std::min(equals + 1, part.size())));
    if (!name || !value || !parameters.emplace(*name, *value).second) return std::nullopt;
  }
  return parameters;
}

bool fits(const std::vector<std::string_view>& pattern, const std::vector<std::string_view>& path) {
  return std::equal(pattern.begin(), pattern.end(), path.begin(), path.end(),
                    [](std::string_view wanted, std::string_view given) {
                      return wanted == kAny ? !given.empty() : wanted == given;
                    });
}

/// True if `left` is the narrower pattern.  Both fit the same path.
bool narrower(const std::vector<std::string_view>& left,
              const std::vector<std::string_view>& right) {
  for (std::size_t i = 0; i < left.size(); ++i) {
    if (left[i] != right[i]) return right[i] == kAny;
  }
  return false;
}

/// A name as "*" stands for it; nullopt if it cannot be read.
std::optional<std::vector<std::string>> names_of(const std::vector<std::string_view>& pattern,
                                                 const std::vector<std::string_view>& path) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != kAny) continue;
    auto name = percent_decoded(path[i]);
    if (!name) return std::nullopt;
    names.push_back(std::move(*name));
  }
  return names;
}

std::optional<HttpResponse> refuse(const HttpRoute& route, const HttpParameters& parameters) {
  for (const auto& [name, value] : parameters) {
    if (std::find(route.parameters.begin(), route.parameters.end(), name) !=
        route.parameters.end()) {
      continue;
    }
    if (route.parameters.empty()) return HttpResponse::error(400, "there are no parameters here");
    return HttpResponse::error(
        400, fmt::format("the parameters are {}", fmt::join(route.parameters, ", ")));
  }
  return std::nullopt;
}

}  // namespace

HttpResponse HttpResponse::error(unsigned status, std::string_view text, std::string more_head) {
  HttpResponse response;
  response.status = status;
  response.body = boost::json::serialize(boost::json::object{{"error", text}});
  response.more_head = std::move(more_head);
  return response;
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    const auto octet = from_hex(text.substr(i + 1, 2));
    if (!octet || octet->size() != 1) return std::nullopt;
    out.push_back(static_cast<char>(octet->front()));
    i += 2;
  }
  return out;
}

HttpResponse HttpRoutes::unknown() const {
  std::set<std::string> patterns;
  for (const HttpRoute& route : routes_) patterns.insert(route.pattern);
  return HttpResponse::error(404, fmt::format("there are {}", fmt::join(patterns, ", ")));
}

Result<HttpRoutes::Match, HttpResponse> HttpRoutes::find(std::string_view method,
                                                         std::string_view target) const {
  const std::size_t mark = std::min(target.find('?'), target.size());
  const std::string_view path = target.substr(0, mark);
  const auto segments = split(path, '/');
  const HttpRoute* found = nullptr;
  std::vector<std::string> methods;
  for (const HttpRoute& route : routes_) {
    const auto pattern = split(route.pattern, '/');
    if (!fits(pattern, segments)) continue;
    methods.push_back(route.method);
    if (route.method != method) continue;
    if (!found || narrower(pattern, split(found->pattern, '/'))) found = &route;
  }
  if (methods.empty()) return tl::unexpected(unknown());
  if (!found) {
    const std::string allowed = fmt::format("{}", fmt::join(methods, ", "));
    return tl::unexpected(
        HttpResponse::error(405, "only " + allowed, "Allow: " + allowed + "\r\n"));
  }
  auto names = names_of(split(found->pattern, '/'), segments);
  if (!names) return tl::unexpected(HttpResponse::error(400, "the path cannot be read"));
  auto parameters = parse_parameters(target.substr(std::min(mark + 1, target.size())));
  if (!parameters) return tl::unexpected(HttpResponse::error(400, "the parameters cannot be read"));
  if (auto refused = refuse(*found, *parameters)) return tl::unexpected(std::move(*refused));

  Match match;
  match.route = found;
  match.request.method = std::string(method);
  match.request.path = std::string(path);
  match.request.names = std::move(*names);
  match.request.parameters = std::move(*parameters);
  return match;
}

}  // namespace sealane

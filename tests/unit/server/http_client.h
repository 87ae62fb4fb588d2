// SPDX-License-Identifier: Apache-2.0
// Requests over a unix socket, sent octet by octet as the test wants them, and responses taken
// apart.
#pragma once

#include <doctest/doctest.h>

#include <boost/json.hpp>
#include <string>
#include <vector>

#include "server/socket_client.h"

namespace sealane {

struct HttpReply {
  int status = 0;
  std::string head;
  std::string text;  ///< the body, put together from its chunks

  boost::json::value body() const { return boost::json::parse(text); }
  std::string member(const char* name) const {
    const boost::json::value parsed = body();
    return std::string(parsed.at(name).as_string());
  }
  std::vector<boost::json::value> lines() const {
    std::vector<boost::json::value> out;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = text.find('\n', at);
      REQUIRE(end != std::string::npos);
      out.push_back(boost::json::parse(text.substr(at, end - at)));
      at = end + 1;
    }
    return out;
  }
};

/// Fails the test if a chunk is cut off.
inline std::string unchunked(std::string_view octets) {
  std::string out;
  for (;;) {
    const std::size_t end = octets.find("\r\n");
    REQUIRE(end != std::string_view::npos);
    const std::size_t size = std::stoul(std::string(octets.substr(0, end)), nullptr, 16);
    REQUIRE(octets.size() >= end + size + 4);
    out += octets.substr(end + 2, size);
    octets.remove_prefix(end + size + 4);
    if (size == 0) return out;
  }
}

inline HttpReply parse_reply(const std::string& octets) {
  HttpReply reply;
  const std::size_t end = octets.find("\r\n\r\n");
  REQUIRE_MESSAGE(end != std::string::npos, octets);
  reply.head = octets.substr(0, end);
  reply.status = std::stoi(octets.substr(9, 3));
  const bool chunked = reply.head.find("Transfer-Encoding: chunked") != std::string::npos;
  reply.text = octets.substr(end + 4);
  if (chunked) reply.text = unchunked(reply.text);
  return reply;
}

inline HttpReply request(const std::string& path, const std::string& method,
                         const std::string& target, const std::string& body = {}) {
  SocketClient client(path);
  const std::string length =
      body.empty() ? "" : "Content-Length: " + std::to_string(body.size()) + "\r\n";
  client.send(method + " " + target + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + length +
              "\r\n" + body);
  return parse_reply(client.all());
}

/// All that comes back for these octets, nothing being sent after them.
inline std::string raw_request(const std::string& path, const std::string& octets) {
  SocketClient client(path);
  client.send(octets);
  client.finish_sending();
  return client.all();
}

}  // namespace sealane

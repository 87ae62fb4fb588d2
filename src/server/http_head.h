// SPDX-License-Identifier: Apache-2.0
// Reads the head of a request.  Only heads are ever given to Beast's parser: it aborts on a chunked
// body whose end is cut off.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace sealane {

/// Octets of a request's head: the longest key, percent-encoded, fits.
inline constexpr std::uint32_t kMaxHttpHead = 40 * 1024;

struct HttpHead {
  std::string method;
  std::string target;
  bool keep_alive = false;
  bool chunked = false;           ///< the body comes in a way that is not read here
  bool takes_chunks = false;      ///< the client reads chunks (HTTP/1.1)
  bool expects_continue = false;  ///< it waits for "100 Continue" before it sends the body
  std::uint64_t content_length = 0;
};

class HttpHeadReader {
 public:
  enum class Progress { need_more, done, too_large, bad };

  HttpHeadReader();
  ~HttpHeadReader();

  /// Takes what it can from the front of `unread`; what follows the head stays there.
  Progress take(std::string& unread);
  /// After done.
  HttpHead head() const;
  /// After bad: why, fit for people.
  const std::string& problem() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sealane

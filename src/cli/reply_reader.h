// SPDX-License-Identifier: Apache-2.0
// Takes the daemon's HTTP responses apart, as they come in.  Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace sealane {

class AdminReplyReader {
 public:
  /// False: this is no response of the daemon.
  bool take(std::string_view octets);
  /// Nothing more comes.  True if the response was whole.
  bool end() const;

  /// 0 until the head is there.
  int status() const { return status_; }
  /// What came of the body; the caller may take from the front.
  std::string& body() { return body_; }

 private:
  bool read_head();
  bool read_chunks();

  std::string unread_;
  std::string body_;
  int status_ = 0;
  bool chunked_ = false;
  bool last_chunk_ = false;
  std::optional<std::size_t> left_;  ///< octets of the body, or of the chunk, still to come
};

}  // namespace sealane

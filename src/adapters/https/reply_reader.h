// SPDX-License-Identifier: Apache-2.0
// Reads an HTTP/1.1 reply from octets and judges it.  No input or output here.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "lookup/policy_fetcher.h"

namespace sealane {

inline constexpr std::size_t kMaxReplyHead = 16 * 1024;  ///< octets; servers send 1 KiB
/// Octets of a whole reply: a body of kMaxPolicyBody in chunks of one octet and its heads fit in.
inline constexpr std::size_t kMaxHttpReply = 512 * 1024;
inline constexpr int kMaxInterimReplies = 8;  ///< 1xx replies before the real one (RFC 9110 15.2)

/// One reply.  Take what arrives until take() or end() says true (complete) or fails.
class ReplyReader {
 public:
  enum class Kind {
    policy,  ///< RFC 8461 3.3: status 200, text/plain, identity coding, a body within the limit
    tunnel,  ///< a proxy's answer to CONNECT: any 2xx, and nothing behind its head
  };
  explicit ReplyReader(Kind kind);
  ~ReplyReader();

  using Progress = tl::expected<bool, FetchFailure>;
  Progress take(std::string_view octets);
  /// The other side has orderly ended the connection.
  Progress end();

  /// The body of a complete reply.
  std::string body() &&;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sealane

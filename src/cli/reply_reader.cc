// SPDX-License-Identifier: Apache-2.0
#include "cli/reply_reader.h"

#include <algorithm>

#include "base/text.h"

namespace sealane {
namespace {

constexpr std::string_view kLineEnd = "\r\n";
constexpr std::string_view kHeadEnd = "\r\n\r\n";
/// Octets of a head, and of the line before a chunk, at most: the daemon's are far shorter.
constexpr std::size_t kMaxHead = 8 * 1024;
constexpr std::size_t kMaxChunkLine = 16;
constexpr std::size_t kMaxBody = std::size_t{1} << 40;

std::optional<std::size_t> parse_chunk_size(std::string_view digits) {
  std::size_t size = 0;
  if (digits.empty() || digits.size() > 10) return std::nullopt;
  for (const char c : lower_ascii(digits)) {
    const bool letter = c >= 'a' && c <= 'f';
    if (!is_digit(c) && !letter) return std::nullopt;
    size = size * 16 + static_cast<std::size_t>(letter ? c - 'a' + 10 : c - '0');
  }
  return size;
}

}  // namespace

bool AdminReplyReader::read_head() {
  const std::size_t end = unread_.find(kHeadEnd);
  if (end == std::string::npos) return unread_.size() <= kMaxHead;
  const std::string head = unread_.substr(0, end);
  unread_.erase(0, end + kHeadEnd.size());
  if (!head.starts_with("HTTP/1.1 ") || head.size() < 12) return false;
  const auto status = parse_decimal(std::string_view(head).substr(9, 3), 599);
  if (!status || *status < 100) return false;
  if (*status == 100) return true;  // Continue: the head proper follows
  status_ = static_cast<int>(*status);
  const std::string fields = lower_ascii(head) + "\r\n";
  chunked_ = fields.find("\r\ntransfer-encoding: chunked\r\n") != std::string::npos;
  constexpr std::string_view kLength = "\r\ncontent-length: ";
  const std::size_t length = fields.find(kLength);
  if (chunked_ || length == std::string::npos) return true;
  const std::size_t begin = length + kLength.size();
  const auto left = parse_decimal(
      std::string_view(fields).substr(begin, fields.find('\r', begin) - begin), kMaxBody);
  if (!left) return false;
  left_ = static_cast<std::size_t>(*left);
  return true;
}

bool AdminReplyReader::read_chunks() {
  while (!last_chunk_) {
    if (!left_) {
      const std::size_t end = unread_.find(kLineEnd);
      if (end == std::string::npos) return unread_.size() <= kMaxChunkLine;
      left_ = parse_chunk_size(std::string_view(unread_).substr(0, end));
      if (!left_) return false;
      last_chunk_ = *left_ == 0;
      unread_.erase(0, end + kLineEnd.size());
      continue;
    }
    const std::size_t taken = std::min(*left_, unread_.size());
    body_.append(unread_, 0, taken);
    unread_.erase(0, taken);
    *left_ -= taken;
    if (*left_ > 0 || unread_.size() < kLineEnd.size()) return true;
    if (!unread_.starts_with(kLineEnd)) return false;
    unread_.erase(0, kLineEnd.size());
    left_.reset();
  }
  return true;
}

bool AdminReplyReader::take(std::string_view octets) {
  unread_ += octets;
  while (status_ == 0) {
    const std::size_t before = unread_.size();
    if (!read_head()) return false;
    if (unread_.size() == before) return true;
  }
  if (chunked_) return read_chunks();
  const std::size_t taken = std::min(left_.value_or(kMaxBody), unread_.size());
  body_.append(unread_, 0, taken);
  unread_.erase(0, taken);
  if (left_) *left_ -= taken;
  return unread_.empty();
}

bool AdminReplyReader::end() const {
  if (status_ == 0) return false;
  return chunked_ ? last_chunk_ : left_.value_or(0) == 0;
}

}  // namespace sealane

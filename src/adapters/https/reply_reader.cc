// SPDX-License-Identifier: Apache-2.0
#include "adapters/https/reply_reader.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>

#include "base/text.h"
#include "policy/sts_policy.h"

namespace sealane {
namespace {

namespace http = boost::beast::http;
using boost::system::error_code;

/// A chunked rest is never shorter than "0\r\n\r\n"; Beast asserts that it is shown that much.
constexpr std::size_t kShortestChunkedRest = 5;

tl::unexpected<FetchFailure> refuse(FetchProblem problem, std::string text) {
  return tl::unexpected(FetchFailure{problem, std::move(text), {}});
}

std::string_view view(boost::beast::string_view text) { return {text.data(), text.size()}; }

/// True if the field is absent, or holds exactly this word wherever it occurs.
bool only(const http::fields& fields, http::field name, std::string_view word) {
  const auto [first, last] = fields.equal_range(name);
  for (auto field = first; field != last; ++field) {
    if (lower_ascii(trim(view(field->value()))) != word) return false;
  }
  return true;
}

}  // namespace

class ReplyReader::Impl {
 public:
  explicit Impl(Kind kind) : kind_(kind) { start(); }

  Progress take(std::string_view octets) {
    received_ += octets.size();
    if (received_ > kMaxHttpReply) return refuse(FetchProblem::too_large, "reply without an end");
    pending_ += octets;
    const Progress done = consume();
    pending_.erase(0, used_);
    used_ = 0;
    return done;
  }

  Progress end() {
    if (!parser_->is_header_done() || !parser_->need_eof()) {
      return refuse(FetchProblem::protocol, received_ == 0 ? "no reply" : "reply cut short");
    }
    return true;
  }

  std::string body() { return std::move(parser_->get().body()); }

 private:
  void start() {
    parser_.emplace();
    // Both limits are kept here: Beast counts a head differently as it arrives whole or in pieces,
    // and a 404 with a long body is a 404.
    parser_->header_limit(std::numeric_limits<std::uint32_t>::max());
    parser_->body_limit(boost::none);
    parser_->eager(false);  // the head is judged before the body has a buffer
    head_judged_ = false;
    head_ = 0;
  }

  std::string_view rest() const { return std::string_view(pending_).substr(used_); }

  Progress consume() {
    while (!rest().empty()) {
      const bool in_chunks = parser_->is_header_done() && parser_->chunked();
      if (in_chunks && rest().size() < kShortestChunkedRest) return false;
      error_code error;
      const std::size_t taken = parser_->put(boost::asio::buffer(rest()), error);
      used_ += taken;
      if (!head_judged_) head_ += taken;
      if (error == http::error::need_more) return wait_for_more();
      if (error) return refuse(FetchProblem::protocol, "not HTTP: " + error.message());
      const Progress done = judge();
      if (!done || *done) return done;
    }
    return false;
  }

  /// What the parser leaves lying is part of a head, or of one line between two chunks.
  Progress wait_for_more() const {
    const std::size_t judged = head_judged_ ? 0 : head_;
    if (judged + rest().size() > kMaxReplyHead) return refuse_head();
    return false;
  }

  static Progress refuse_head() {
    return refuse(FetchProblem::too_large, fmt::format("headers over {} octets", kMaxReplyHead));
  }

  Progress judge() {
    if (!parser_->is_header_done()) return false;
    if (!head_judged_) {
      if (head_ > kMaxReplyHead) return refuse_head();
      head_judged_ = true;
      const Progress head = kind_ == Kind::policy ? judge_policy_head() : judge_tunnel_head();
      if (!head || *head) return head;
    }
    if (parser_->get().body().size() > kMaxPolicyBody) return refuse_body();
    return parser_->is_done();
  }

  Progress judge_tunnel_head() {
    const unsigned status = parser_->get().result_int();
    if (status / 100 == 1) return next_reply();
    // We are wrong for the proxy, or not known to it.  All else is about this policy host: proxies
    // differ in what they call one that they cannot, or will not, reach (403, 500, 502 to 504).
    const bool is_ours = status == 400 || status == 401 || status == 407;
    const auto problem = is_ours ? FetchProblem::own : FetchProblem::connect;
    if (status / 100 != 2) return refuse(problem, std::to_string(status));
    if (!rest().empty()) return refuse(FetchProblem::own, "octets before the tunnel");
    return true;
  }

  Progress judge_policy_head() {
    const auto& reply = parser_->get();
    const unsigned status = reply.result_int();
    if (status / 100 == 1 && status != 101) return next_reply();
    if (status != 200) return refuse_status(status, view(reply[http::field::location]));
    const Progress type = judge_media_type(reply);
    if (!type) return type;
    if (!only(reply, http::field::content_encoding, "identity")) {
      return refuse(FetchProblem::protocol,
                    "content coding " + escape(view(reply[http::field::content_encoding])));
    }
    if (!only(reply, http::field::transfer_encoding, "chunked")) {
      return refuse(FetchProblem::protocol,
                    "transfer coding " + escape(view(reply[http::field::transfer_encoding])));
    }
    if (parser_->content_length().value_or(0) > kMaxPolicyBody) return refuse_body();
    return false;
  }

  static Progress refuse_status(unsigned status, std::string_view location) {
    if (status / 100 == 3 && status != 304) {
      const std::string target = location.empty() ? "nowhere" : escape(location);
      return refuse(FetchProblem::redirect, fmt::format("redirect to {} ({})", target, status));
    }
    return refuse(FetchProblem::status, std::to_string(status));
  }

  /// RFC 8461 3.2: text/plain; parameters are ignored.
  static Progress judge_media_type(const http::fields& fields) {
    const auto [first, last] = fields.equal_range(http::field::content_type);
    if (first == last) return refuse(FetchProblem::media_type, "no media type");
    for (auto field = first; field != last; ++field) {
      const std::string_view type = trim(split(view(field->value()), ';').front());
      if (lower_ascii(type) == "text/plain") continue;
      return refuse(FetchProblem::media_type, "media type " + escape(type));
    }
    return false;
  }

  static Progress refuse_body() {
    return refuse(FetchProblem::too_large, fmt::format("body over {} octets", kMaxPolicyBody));
  }

  Progress next_reply() {
    if (++interim_ > kMaxInterimReplies) {
      return refuse(FetchProblem::protocol, "too many interim replies");
    }
    start();
    return false;
  }

  Kind kind_;
  std::optional<http::response_parser<http::string_body>> parser_;
  std::string pending_;
  std::size_t used_ = 0;  // octets at the front of pending_ that the parser has taken
  std::size_t received_ = 0;
  std::size_t head_ = 0;  // octets of the head that is being read
  int interim_ = 0;
  bool head_judged_ = false;
};

ReplyReader::ReplyReader(Kind kind) : impl_(std::make_unique<Impl>(kind)) {}
ReplyReader::~ReplyReader() = default;
ReplyReader::Progress ReplyReader::take(std::string_view octets) { return impl_->take(octets); }
ReplyReader::Progress ReplyReader::end() { return impl_->end(); }
std::string ReplyReader::body() && { return impl_->body(); }

}  // namespace sealane

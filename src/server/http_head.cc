// SPDX-License-Identifier: Apache-2.0
#include "server/http_head.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>

#include "base/text.h"

namespace sealane {
namespace http = boost::beast::http;

class HttpHeadReader::Impl {
 public:
  Impl() {
    parser.header_limit(kMaxHttpHead);
    parser.body_limit(boost::none);  // the route says how much it takes
  }

  http::request_parser<http::empty_body> parser;
  std::string problem;
};

HttpHeadReader::HttpHeadReader() : impl_(std::make_unique<Impl>()) {}
HttpHeadReader::~HttpHeadReader() = default;

HttpHeadReader::Progress HttpHeadReader::take(std::string& unread) {
  while (!impl_->parser.is_header_done() && !unread.empty()) {
    boost::system::error_code wrong;
    const std::size_t taken = impl_->parser.put(boost::asio::buffer(unread), wrong);
    unread.erase(0, taken);
    if (wrong == http::error::header_limit) return Progress::too_large;
    if (wrong && wrong != http::error::need_more) {
      impl_->problem = wrong.message();
      return Progress::bad;
    }
    if (taken == 0) break;
  }
  return impl_->parser.is_header_done() ? Progress::done : Progress::need_more;
}

HttpHead HttpHeadReader::head() const {
  const auto& request = impl_->parser.get();
  HttpHead head;
  head.method = std::string(request.method_string());
  head.target = std::string(request.target());
  head.keep_alive = request.keep_alive();
  head.chunked = impl_->parser.chunked() || request.count(http::field::transfer_encoding) > 0;
  head.takes_chunks = request.version() >= 11;
  head.expects_continue =
      head.takes_chunks && lower_ascii(std::string(request[http::field::expect])) == "100-continue";
  head.content_length = impl_->parser.content_length().value_or(0);
  return head;
}

const std::string& HttpHeadReader::problem() const { return impl_->problem; }

}  // namespace sealane

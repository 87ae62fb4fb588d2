// SPDX-License-Identifier: Apache-2.0
// The listeners beside the socketmap: Exim's, the access policy service, and HTTP for all others.
// Each is there only if the configuration says where.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "lookup/clock.h"
#include "server/access_server.h"
#include "server/answer_cache.h"
#include "server/config.h"
#include "server/exim_server.h"
#include "server/http_server.h"

namespace sealane {

/// Lives on the serving thread, once it runs.
class FrontEnds {
 public:
  /// Opens the sockets and reads the access table; what is wrong with it has been logged then.
  Result<void> open(const Config& config);
  void build(boost::asio::any_io_executor serving, AnswerCache& cache, const Clock& clock);
  void start();
  /// AnswerCache::close() must follow.
  void close();
  /// Takes the access table anew; one with an error leaves the old one.
  void reload(const std::string& access_table);
  /// Logs what was served.
  void report() const;

 private:
  std::vector<Listener> exim_listeners_;
  std::vector<Listener> access_listeners_;
  std::vector<Listener> http_listeners_;
  std::uint32_t http_rate_ = kDefaultPolicyRate;
  bool observes_ = false;
  AccessServer::Table table_ = std::make_shared<AccessTable>();
  std::unique_ptr<EximServer> exim_;
  std::unique_ptr<AccessServer> access_;
  std::unique_ptr<HttpServer> http_;
};

}  // namespace sealane

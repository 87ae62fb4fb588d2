// SPDX-License-Identifier: Apache-2.0
// What stands behind GET /v1/explain: an explanation by the lookup thread, put into the words of
// every MTA beside what the answer cache gives out at this moment.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/task.h"
#include "lookup/clock.h"
#include "lookup/explanation.h"
#include "server/answer_cache.h"
#include "server/explain_json.h"
#include "server/http_message.h"

namespace sealane {

/// Lives on the serving thread; must outlive the last handler of its executor.
class ExplainApi {
 public:
  /// Called, and awaited, on the lookup executor.
  using Explain = std::function<Task<Explanation>(std::string key, bool live)>;

  ExplainApi(boost::asio::any_io_executor lookup, Explain explain, const AnswerCache& cache,
             const Clock& clock);

  /// The explanation as JSON, printable ASCII.  `only`: with the answer of this dialect alone.
  /// Ends within the budget of a lookup.
  Task<std::string> explain(std::string key, std::optional<Dialect> only, bool live);

 private:
  std::vector<ExplainedAnswer> known_answers(const Explanation& explanation,
                                             std::optional<Dialect> only) const;
  std::vector<ExplainedAnswer> live_answers(const Explanation& explanation,
                                            std::optional<Dialect> only) const;

  boost::asio::any_io_executor lookup_;
  Explain explain_;
  const AnswerCache& cache_;
  const Clock& clock_;
};

/// `GET /v1/explain/KEY`.
HttpRoute explain_route(std::shared_ptr<ExplainApi> api);

}  // namespace sealane

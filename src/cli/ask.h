// SPDX-License-Identifier: Apache-2.0
// Asks the daemon for a verb: what goes wrong is told, and becomes an exit status.
#pragma once

#include <boost/json/object.hpp>
#include <functional>
#include <ostream>
#include <string>

#include "base/result.h"
#include "cli/admin_client.h"
#include "cli/console.h"

namespace sealane {

/// The answer as a JSON object, or the exit status.
Result<boost::json::object, int> ask_object(const std::string& admin, const AdminRequest& request,
                                            std::ostream& err);

/// Takes a line of the answer, and the same as printable ASCII; false: no more is wanted.
using JsonLineSink = std::function<bool(const boost::json::object&, std::string_view)>;
/// The answer as JSON lines.  kFine, or the exit status of what went wrong.
int ask_lines(const std::string& admin, const AdminRequest& request, std::ostream& err,
              const JsonLineSink& sink);

/// Tells what is wrong with the words behind a verb.
int wrong_usage(std::ostream& err, std::string_view verb, std::string_view what,
                std::string_view usage);

}  // namespace sealane

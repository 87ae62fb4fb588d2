// SPDX-License-Identifier: Apache-2.0
#include "cli/ask.h"

#include <boost/json.hpp>

#include "base/text.h"
#include "cli/json_fields.h"
#include "cli/terminal.h"

namespace sealane {
namespace json = boost::json;
namespace {

int status_of(int http) {
  switch (http) {
    case 400:
      return kWrongUsage;
    case 404:
      return kNegative;
    default:
      return kTemporary;
  }
}

std::optional<json::object> parse(std::string_view text) {
  boost::system::error_code wrong;
  json::value parsed = json::parse(text, wrong);
  if (wrong || !parsed.is_object()) return std::nullopt;
  return std::move(parsed.as_object());
}

int complain(std::ostream& err, std::string_view what, int status) {
  err << "sealane: " << what << '\n';
  return status;
}

/// What the daemon complains of.
int refused(const AdminAnswer& answer, std::ostream& err) {
  const auto parsed = parse(answer.body);
  const std::string_view text = parsed ? text_at(*parsed, "error") : std::string_view();
  return complain(err, text.empty() ? "the daemon says no" : for_terminal(text),
                  status_of(answer.status));
}

}  // namespace

Result<json::object, int> ask_object(const std::string& admin, const AdminRequest& request,
                                     std::ostream& err) {
  const Result<AdminAnswer> answer = admin_ask(admin, request);
  if (!answer) return tl::unexpected(complain(err, answer.error(), kTemporary));
  if (answer->status != 200) return tl::unexpected(refused(*answer, err));
  auto parsed = parse(answer->body);
  if (!parsed) {
    return tl::unexpected(complain(err, "the answer of the daemon is not JSON", kTemporary));
  }
  return std::move(*parsed);
}

int ask_lines(const std::string& admin, const AdminRequest& request, std::ostream& err,
              const JsonLineSink& sink) {
  int status = kFine;
  const auto take = [&](std::string_view line) {
    const auto parsed = parse(line);
    if (!parsed) {
      status = complain(err, "the answer of the daemon is not JSON", kTemporary);
    } else if (parsed->contains("error")) {
      status = complain(err, for_terminal(text_at(*parsed, "error")), kTemporary);
    } else {
      return sink(*parsed, ascii_json(line));
    }
    return false;
  };
  const Result<AdminAnswer> answer = admin_lines(admin, request, take);
  if (!answer) return complain(err, answer.error(), kTemporary);
  if (answer->status != 200) return refused(*answer, err);
  return status;
}

int wrong_usage(std::ostream& err, std::string_view verb, std::string_view what,
                std::string_view usage) {
  err << "sealane " << verb << ": " << what << '\n' << usage;
  return kWrongUsage;
}

}  // namespace sealane

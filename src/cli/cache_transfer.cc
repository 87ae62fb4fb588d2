// SPDX-License-Identifier: Apache-2.0
// `sealane cache warm|export|import`: memories that move from one daemon, or program, to another.
#include <fmt/format.h>

#include <boost/json.hpp>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

#include "adapters/store/resolver_cache.h"
#include "base/text.h"
#include "base/utc.h"
#include "cli/ask.h"
#include "cli/cache_verbs.h"
#include "cli/json_fields.h"
#include "cli/progress.h"
#include "cli/terminal.h"
#include "cli/verb_options.h"

namespace sealane {
namespace json = boost::json;
namespace {

/// Domains and octets of one request.  The daemon takes 2 MiB.
constexpr std::size_t kDomainsPerRequest = 500;
constexpr std::size_t kOctetsPerRequest = 1024 * 1024;
/// Octets of a line of a file, and lines of a list of domains, at most.
constexpr std::size_t kMaxFileLine = 512 * 1024;
constexpr std::size_t kMaxListed = 1'000'000;

/// The lines of a file, or of standard input for "-"; false from `take` ends the reading.
Result<void> read_lines(const std::string& name, std::istream& standard,
                        const std::function<bool(const std::string&)>& take) {
  std::ifstream file;
  if (name != "-") {
    file.open(name, std::ios::binary);
    if (!file) return failure("{}: cannot be read", escape(name));
  }
  std::istream& in = name == "-" ? standard : file;
  for (std::string line; std::getline(in, line);) {
    if (line.size() > kMaxFileLine) return failure("{}: a line is too long", escape(name));
    if (!take(line)) return {};
  }
  if (in.bad()) return failure("{}: cannot be read", escape(name));
  return {};
}

/// The first word of each line, without comments and what came before.
Result<std::vector<std::string>> read_domains(const std::string& name, std::istream& standard) {
  std::vector<std::string> domains;
  std::set<std::string> seen;
  const auto read = read_lines(name, standard, [&](const std::string& line) {
    const auto found = words(trim(line, " \t\r"));
    if (found.empty() || found.front().starts_with('#')) return true;
    std::string domain = lower_ascii(found.front());
    if (seen.insert(domain).second) domains.push_back(std::move(domain));
    return domains.size() <= kMaxListed;
  });
  if (!read) return tl::unexpected(read.error());
  if (domains.size() > kMaxListed) return failure("more than {} domains", kMaxListed);
  return domains;
}

/// What became of the lines, by the daemon's words.
class Tally {
 public:
  void count(std::string_view result) { ++counts_[std::string(result)]; }
  std::uint64_t of(std::string_view result) const {
    const auto found = counts_.find(result);
    return found == counts_.end() ? 0 : found->second;
  }
  std::string text() const {
    std::string out;
    for (const auto& [result, count] : counts_) {
      out += fmt::format("{}{} {}", out.empty() ? "" : ", ", for_terminal(result), count);
    }
    return out.empty() ? "nothing" : out;
  }
  json::object as_json() const {
    json::object out;
    for (const auto& [result, count] : counts_) out[result] = count;
    return out;
  }

 private:
  std::map<std::string, std::uint64_t, std::less<>> counts_;
};

int warm(const std::vector<std::string>& domains, const VerbOptions& options, Console& console) {
  Tally tally;
  std::size_t done = 0;
  int status = kFine;
  {
    Progress progress(console, domains.size());
    for (std::size_t at = 0; at < domains.size() && status == kFine; at += kDomainsPerRequest) {
      AdminRequest request{"/v1/cache/warm", "POST"};
      request.patience = kAdminLookPatience;
      const std::size_t end = std::min(domains.size(), at + kDomainsPerRequest);
      for (std::size_t i = at; i < end; ++i) request.body += domains[i] + "\n";
      status = ask_lines(options.admin, request, console.err,
                         [&](const json::object& line, std::string_view text) {
                           const std::string_view result = text_at(line, "result");
                           tally.count(result);
                           progress.show(++done, tally.text());
                           if (options.as_json) {
                             console.out << text << '\n';
                           } else if (!console.err_is_terminal) {
                             console.out << fmt::format("{:<7}  {:<8}  {}", for_terminal(result),
                                                        for_terminal(text_at(line, "mode")),
                                                        for_terminal(text_at(line, "domain")));
                             const bool bad = result == "failed" || result == "invalid";
                             if (bad) console.out << "  " << for_terminal(text_at(line, "reason"));
                             console.out << '\n';
                           }
                           console.out.flush();
                           return console.out.good();
                         });
    }
  }
  if (!options.as_json) console.err << "sealane: " << tally.text() << '\n';
  if (status == kFine && tally.of("invalid") + tally.of("failed") > 0) return kNegative;
  return status;
}

int warm_file(const VerbOptions& options, Console& console) {
  const auto domains = read_domains(options.operands.front(), console.in);
  if (domains) return warm(*domains, options, console);
  console.err << "sealane: " << domains.error() << '\n';
  return kTemporary;
}

/// Sends lines to the daemon, so many at a time, and keeps count of what becomes of them.
class Importer {
 public:
  Importer(const VerbOptions& options, Console& console) : options_(options), console_(console) {}

  bool add(const std::string& line) {
    ++number_;
    if (trim(line, " \t\r").empty()) return true;
    numbers_.push_back(number_);
    body_ += line + "\n";
    return body_.size() < kOctetsPerRequest || send();
  }

  /// Sends what is left.  The exit status.
  int finish() {
    if (!body_.empty()) send();
    if (options_.as_json) {
      console_.out << ascii_json(json::serialize(tally_.as_json())) << '\n';
    } else {
      console_.out << tally_.text() << '\n';
    }
    if (status_ != kFine) return status_;
    if (tally_.of("not-stored") + tally_.of("busy") > 0) return kTemporary;
    const bool bad = tally_.of("invalid") + tally_.of("expired") + tally_.of("from-future") > 0;
    return bad ? kNegative : kFine;
  }

 private:
  bool send() {
    AdminRequest request{"/v1/cache/import", "POST", std::exchange(body_, {})};
    request.patience = kAdminLookPatience;
    const std::vector<std::size_t> numbers = std::exchange(numbers_, {});
    status_ = ask_lines(options_.admin, request, console_.err,
                        [&](const json::object& line, std::string_view) {
                          take(line, numbers);
                          return true;
                        });
    return status_ == kFine;
  }

  void take(const json::object& line, const std::vector<std::size_t>& numbers) {
    const std::string_view result = text_at(line, "result");
    tally_.count(result);
    if (result == "taken") return;
    const auto at = static_cast<std::size_t>(number_at(line, "line"));
    const std::size_t number = at >= 1 && at <= numbers.size() ? numbers[at - 1] : 0;
    console_.err << fmt::format("line {}: {}{}{}: {}\n", number,
                                for_terminal(text_at(line, "domain")),
                                text_at(line, "domain").empty() ? "" : ": ", for_terminal(result),
                                for_terminal(text_at(line, "reason")));
  }

  const VerbOptions& options_;
  Console& console_;
  std::string body_;
  std::vector<std::size_t> numbers_;  ///< of the lines in it, in the file
  std::size_t number_ = 0;
  Tally tally_;
  int status_ = kFine;
};

int import_from_resolver(const std::string& file, Importer& importer, std::ostream& err) {
  const auto read = read_resolver_cache(file, [&](const StsImport& found) {
    json::object line{{"domain", found.domain.text()},
                      {"id", found.policy.id},
                      {"policy", found.policy.body},
                      {"fetched", utc_text(found.policy.fetched)},
                      {"expires", utc_text(found.policy.expires)},
                      {"only_new", found.only_new}};
    return importer.add(json::serialize(line));
  });
  if (!read) {
    err << "sealane: " << read.error() << '\n';
    return kTemporary;
  }
  for (const std::string& skipped : *read) err << "skipped: " << skipped << '\n';
  const int status = importer.finish();
  return status == kFine && !read->empty() ? kNegative : status;
}

}  // namespace

int cache_warm(VerbWords args, Console& console) {
  VerbOptions options;
  const auto ended =
      options.read(args, 1, 1, {"cache warm", kCacheUsage}, console.out, console.err);
  if (ended) return *ended;
  return warm_file(options, console);
}

int cache_export(VerbWords args, Console& console) {
  VerbOptions options;
  const auto ended =
      options.read(args, 0, 0, {"cache export", kCacheUsage}, console.out, console.err);
  if (ended) return *ended;
  AdminRequest request{"/v1/cache?policy=1"};
  const int status = ask_lines(options.admin, request, console.err,
                               [&](const json::object&, std::string_view line) {
                                 console.out << line << '\n';
                                 return console.out.good();
                               });
  console.out.flush();
  if (console.out) return status;
  console.err << "sealane: cannot write\n";
  return kTemporary;
}

int cache_import(VerbWords args, Console& console) {
  VerbOptions options;
  std::optional<std::string> from;
  const auto ended = options.text("from", from)
                         .read(args, 1, 1, {"cache import", kCacheUsage}, console.out, console.err);
  if (ended) return *ended;
  const std::string& file = options.operands.front();
  // Its cache has finished answers, not policies: only the names are of use.
  if (from == "postfix-tlspol") return warm_file(options, console);
  Importer importer(options, console);
  if (from == "mta-sts-resolver") return import_from_resolver(file, importer, console.err);
  if (from) {
    return wrong_usage(console.err, "cache import", "--from postfix-tlspol or mta-sts-resolver",
                       kCacheUsage);
  }
  const auto read =
      read_lines(file, console.in, [&](const std::string& line) { return importer.add(line); });
  if (read) return importer.finish();
  console.err << "sealane: " << read.error() << '\n';
  return kTemporary;
}

}  // namespace sealane

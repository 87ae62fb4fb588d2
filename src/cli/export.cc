// SPDX-License-Identifier: Apache-2.0
#include "cli/export.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "base/text.h"
#include "base/utc.h"
#include "cli/ask.h"
#include "cli/fresh_file.h"
#include "cli/json_fields.h"
#include "cli/terminal.h"
#include "cli/verb_options.h"

namespace sealane {
namespace json = boost::json;
namespace {

constexpr std::string_view kUsage =
    "Usage: sealane export --format postfix-texthash|json [--output FILE] [--admin unix:PATH]\n";

/// Octets gathered before they are written.
constexpr std::size_t kChunk = 64 * 1024;
/// The mail server, under its own user, reads it; the umask may take bits off.
constexpr mode_t kExportMode = 0644;

/// What is known before the first policy is written.
struct Heading {
  std::string written;    ///< UTC
  std::string first_end;  ///< of the policies; empty: there is none
};

/// A name in UTF-8 that can be a key; empty if it cannot.
std::string_view key_of(std::string_view name) {
  const bool is_key = std::all_of(name.begin(), name.end(), [](char c) {
    const auto octet = static_cast<unsigned char>(c);
    return octet > ' ' && octet != 0x7f;
  });
  return is_key ? name : std::string_view();
}

/// The words of one format.
class Format {
 public:
  virtual ~Format() = default;
  virtual std::string begin(const Heading& heading) = 0;
  virtual std::string policy(const json::object& line) = 0;
  virtual std::string end() = 0;
};

/// A table of Postfix: "DOMAIN<tab>POLICY".  A line that begins with "#" is a comment.
class TextHash : public Format {
 public:
  std::string begin(const Heading& heading) override {
    return fmt::format(
        "# Enforced TLS policies, for smtp_tls_policy_maps = texthash:...\n"
        "# Written by sealane export at {}.\n"
        "# {}\n",
        heading.written,
        heading.first_end.empty()
            ? "There is no policy."
            : fmt::format("Write it again before {}: then the first policy ends.",
                          heading.first_end));
  }

  std::string policy(const json::object& line) override {
    constexpr std::string_view kOk = "OK ";
    const std::string domain = for_terminal(text_at(line, "domain"));
    const std::string reply = for_terminal(text_at(line, "postfix"), kMaxAdminAnswer);
    if (!reply.starts_with(kOk)) {
      return fmt::format("# {}: nothing is demanded now ({})\n", domain, why_not(line));
    }
    const std::string policy(trim(std::string_view(reply).substr(kOk.size())));
    std::string text;
    if (text_at(line, "status") == "temporary") {
      text = fmt::format("# {}: by its policy alone, since: {}\n", domain,
                         for_terminal(text_at(line, "reason")));
    }
    ++entries_;
    text += fmt::format("{}\t{}\n", domain, policy);
    // Postfix asks with the name as the mail has it.
    const std::string_view unicode = key_of(text_at(line, "unicode"));
    if (!unicode.empty()) text += fmt::format("{}\t{}\n", unicode, policy);
    if (unicode.empty() && domain.find("xn--") != std::string::npos) {
      text += fmt::format("# {}: its name in UTF-8 cannot be a key\n", domain);
    }
    return text;
  }

  std::string end() override { return fmt::format("# End: {} policies.\n", entries_); }

 private:
  static std::string_view why_not(const json::object& line) {
    if (text_at(line, "status") == "temporary") return "not known, and sts=off";
    return is_true(line, "observing") ? "observing" : "an override, or the policy has changed";
  }

  std::size_t entries_ = 0;
};

/// One object; one policy a line.
class Json : public Format {
 public:
  std::string begin(const Heading& heading) override {
    json::object head{{"written", heading.written}};
    if (!heading.first_end.empty()) head["first_end"] = heading.first_end;
    std::string text = json::serialize(head);
    text.back() = ',';
    return text + "\"policies\":[";
  }
  std::string policy(const json::object& line) override {
    return fmt::format("{}\n{}", count_++ == 0 ? "" : ",", ascii_json(json::serialize(line)));
  }
  std::string end() override { return fmt::format("\n],\"count\":{}}}\n", count_); }

 private:
  std::size_t count_ = 0;
};

/// Where it goes: a file that appears when it is whole, or standard output.
class Sink {
 public:
  Sink(std::ostream& out, std::unique_ptr<FreshFile> file) : out_(out), file_(std::move(file)) {}

  /// False: it cannot be written, see problem().
  bool write(std::string_view text) {
    gathered_ += text;
    return gathered_.size() < kChunk || flush();
  }
  bool finish() {
    if (!flush()) return false;
    return !file_ || took(file_->commit());
  }
  const std::string& problem() const { return problem_; }

 private:
  bool flush() {
    const std::string text = std::exchange(gathered_, {});
    if (file_) return took(file_->write(text));
    out_ << text;
    out_.flush();
    if (!out_) problem_ = "cannot write";
    return out_.good();
  }
  bool took(const Result<void>& done) {
    if (!done) problem_ = done.error();
    return done.has_value();
  }

  std::ostream& out_;
  const std::unique_ptr<FreshFile> file_;  ///< null: standard output
  std::string gathered_;
  std::string problem_;
};

std::unique_ptr<Format> format_named(std::string_view name) {
  if (name == "postfix-texthash") return std::make_unique<TextHash>();
  if (name == "json") return std::make_unique<Json>();
  return nullptr;
}

/// Replacing a device or a link would take it away from others.
Result<std::unique_ptr<FreshFile>> open_output(const std::string& path) {
  struct stat there {};
  const bool exists = ::lstat(path.c_str(), &there) == 0;
  if (exists && !S_ISREG(there.st_mode)) return failure("{}: is no plain file", escape(path));
  auto file = FreshFile::open(path);
  if (!file) return file;
  // Nobody reads in it what the old one did not show.
  const mode_t mode = exists ? mode_t{0600} : kExportMode;
  if (auto created = (*file)->create(mode); !created) return tl::unexpected(created.error());
  if (exists) {
    if (auto taken = (*file)->take_rights(there); !taken) return tl::unexpected(taken.error());
  }
  return file;
}

/// The status if the daemon does not tell.
Result<Heading, int> heading_of(const std::string& admin, std::ostream& err) {
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  Heading heading{utc_text(now), ""};
  const AdminRequest request{"/v1/cache?mode=enforce"};
  const int status = ask_lines(admin, request, err, [&](const json::object& line, auto) {
    const auto end = parse_utc(text_at(line, "expires"));
    if (!end || *end <= now) return true;
    const std::string text = utc_text(*end);
    // Texts of this form sort as the times do.
    if (heading.first_end.empty() || text < heading.first_end) heading.first_end = text;
    return true;
  });
  if (status != kFine) return tl::unexpected(status);
  return heading;
}

int write_all(const std::string& admin, Format& format, Sink& sink, std::ostream& err) {
  const auto heading = heading_of(admin, err);
  if (!heading) return heading.error();
  bool good = sink.write(format.begin(*heading));
  AdminRequest request{"/v1/export"};
  request.patience = kAdminLookPatience;
  const int status = ask_lines(admin, request, err, [&](const json::object& line, auto) {
    good = good && sink.write(format.policy(line));
    return good;
  });
  if (status != kFine) return status;
  if (good && sink.write(format.end()) && sink.finish()) return kFine;
  err << "sealane: " << sink.problem() << '\n';
  return kTemporary;
}

}  // namespace

int export_command(std::span<const std::string> args, Console& console) {
  VerbOptions options;
  std::optional<std::string> name;
  std::optional<std::string> output;
  const auto ended = options.text("format", name)
                         .text("output", output)
                         .read(args, 0, 0, {"export", kUsage}, console.out, console.err);
  if (ended) return *ended;
  if (options.as_json && !name) name = "json";
  const std::unique_ptr<Format> format = format_named(name.value_or(""));
  if (!format || (options.as_json && name != "json")) {
    return wrong_usage(console.err, "export", "--format postfix-texthash or json", kUsage);
  }
  std::unique_ptr<FreshFile> file;
  if (output) {
    auto opened = open_output(*output);
    if (!opened) {
      console.err << "sealane: " << opened.error() << '\n';
      return kTemporary;
    }
    file = std::move(*opened);
  }
  Sink sink(console.out, std::move(file));
  return write_all(options.admin, *format, sink, console.err);
}

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
#include "policy/sts_record.h"

#include <algorithm>
#include <iterator>
#include <optional>

#include "base/text.h"
#include "policy/sts_grammar.h"

namespace sealane {
namespace {

constexpr std::string_view kVersion = "v=STSv1";
constexpr std::string_view kWsp = " \t";
constexpr std::size_t kMaxId = 32;  // octets (RFC 8461 3.1)

/// True for a record that claims to be ours: the version, then the delimiter.  Judged before
/// validity, so that a broken second record counts as a second one, and "v=STSv10" does not.
bool is_candidate(std::string_view record) {
  if (!record.starts_with(kVersion)) return false;
  record.remove_prefix(kVersion.size());
  const auto delimiter = record.find_first_not_of(kWsp);
  return delimiter != std::string_view::npos && record[delimiter] == ';';
}

bool is_id(std::string_view text) {
  return !text.empty() && text.size() <= kMaxId &&
         std::all_of(text.begin(), text.end(), [](char c) { return is_alpha(c) || is_digit(c); });
}

/// Printable ASCII without blank, "=" and ";".
bool is_extension_value(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return c > ' ' && c <= '~' && c != '=' && c != ';';
  });
}

/// Reads the fields behind the version, one by one.
class RecordReader {
 public:
  explicit RecordReader(Remarks& remarks) : remarks_(remarks) {}

  /// `field` is what stands between two delimiters, without their blanks.
  void read_field(std::string_view field, Place place) {
    const auto equals = field.find('=');
    if (field.empty()) return remarks_.error(place, "empty-field", "An empty field.");
    if (equals == std::string_view::npos) {
      return remarks_.error(place, "no-value", "The field \"{}\" has no \"=\".", escape(field));
    }
    const std::string_view name = field.substr(0, equals);
    const std::string_view value = field.substr(equals + 1);
    if (name == "id" && !id_) return read_id(value, place);
    read_extension(name, value, place);
  }

  const std::optional<std::string>& id() const { return id_; }

 private:
  void read_id(std::string_view value, Place place) {
    id_ = std::string(value);
    if (is_id(value)) return;
    remarks_.error(place, "bad-id", "The id \"{}\" is not 1 to {} letters and digits.",
                   escape(value), kMaxId);
  }

  void read_extension(std::string_view name, std::string_view value, Place place) {
    if (!is_sts_field_name(name)) {
      return remarks_.error(place, "bad-field", "\"{}\" is no field name.", escape(name));
    }
    if (!is_extension_value(value)) {
      return remarks_.error(place, "bad-value", "The value \"{}\" of \"{}\" is not allowed.",
                            escape(value), name);
    }
    if (name == "id" || name == "v") {
      return remarks_.warning(place, "duplicate-field", "A second \"{}\" is ignored.", name);
    }
    remarks_.note(place, "unknown-field", "The unknown field \"{}\" is ignored.", name);
  }

  Remarks& remarks_;
  std::optional<std::string> id_;
};

void read_fields(std::string_view text, RecordReader& reader) {
  const auto pieces = split(text, ';');
  for (std::size_t i = 1; i < pieces.size(); ++i) {
    const bool last = i + 1 == pieces.size();
    std::string_view field = pieces[i];
    field.remove_prefix(std::min(field.find_first_not_of(kWsp), field.size()));
    // Blanks before a delimiter belong to it; at the end of the record nothing may follow a field.
    if (!last) field = field.substr(0, field.find_last_not_of(kWsp) + 1);
    if (last && field.empty()) return;
    reader.read_field(field, {1, static_cast<int>(field.data() - text.data()) + 1});
  }
}

}  // namespace

Result<StsRecord> parse_sts_record(std::string_view text, std::vector<LintFinding>* findings) {
  Remarks remarks(findings);
  if (!is_candidate(text)) {
    remarks.error({1, 1}, "bad-version", "The record does not begin with \"v=STSv1;\".");
    return failure("{}", remarks.first_error());
  }
  RecordReader reader(remarks);
  read_fields(text, reader);
  if (!reader.id()) {
    remarks.error({1, 0}, "missing-id", "The field \"id\" is missing (in lower case).");
  }
  if (remarks.failed()) return failure("{}", remarks.first_error());
  return StsRecord{*reader.id()};
}

StsRecordSet read_sts_records(const std::vector<std::string>& records) {
  std::vector<std::string_view> candidates;
  std::copy_if(records.begin(), records.end(), std::back_inserter(candidates), is_candidate);

  StsRecordSet set;
  if (candidates.empty()) {
    set.problem = "no TXT record begins with \"v=STSv1;\"";
    return set;
  }
  if (candidates.size() > 1) {
    set.kind = StsRecordSet::Kind::several;
    set.problem = fmt::format("{} TXT records begin with \"v=STSv1;\"", candidates.size());
    return set;
  }
  auto record = parse_sts_record(candidates.front(), nullptr);
  if (!record) {
    set.kind = StsRecordSet::Kind::invalid;
    set.problem =
        fmt::format("invalid TXT record \"{}\": {}", escape(candidates.front()), record.error());
    return set;
  }
  set.kind = StsRecordSet::Kind::one;
  set.record = *std::move(record);
  return set;
}

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
#include "adapters/dns/getdns_reply.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "adapters/dns/wire_name.h"

namespace sealane {
namespace {

std::optional<std::uint32_t> number(const getdns_dict* dict, const char* path) {
  std::uint32_t value = 0;
  if (getdns_dict_get_int(dict, path, &value) != GETDNS_RETURN_GOOD) return std::nullopt;
  return value;
}

/// Octets inside the dictionary, valid as long as it lives.
std::optional<std::string_view> octets(const getdns_dict* dict, const char* path) {
  getdns_bindata* data = nullptr;
  if (getdns_dict_get_bindata(dict, path, &data) != GETDNS_RETURN_GOOD) return std::nullopt;
  return std::string_view(reinterpret_cast<const char*>(data->data), data->size);
}

std::optional<std::string> name(const getdns_dict* dict, const char* path) {
  const auto wire = octets(dict, path);
  if (!wire || !is_wire_name(*wire)) return std::nullopt;
  return std::string(*wire);
}

/// Calls `use` for each dictionary of a list; false if some part is not what it should be.
template <class Use>
bool each(const getdns_dict* message, const char* section, Use use) {
  getdns_list* list = nullptr;
  if (getdns_dict_get_list(message, section, &list) != GETDNS_RETURN_GOOD) return false;
  std::size_t length = 0;
  if (getdns_list_get_length(list, &length) != GETDNS_RETURN_GOOD) return false;
  for (std::size_t i = 0; i < length; ++i) {
    getdns_dict* record = nullptr;
    if (getdns_list_get_dict(list, i, &record) != GETDNS_RETURN_GOOD) return false;
    if (!use(record)) return false;
  }
  return true;
}

/// The character-strings of a TXT record, joined; they fill the RDATA exactly.
std::optional<std::string> join_strings(std::string_view rdata) {
  std::string text;
  while (!rdata.empty()) {
    const std::size_t length = static_cast<unsigned char>(rdata.front());
    if (rdata.size() <= length) return std::nullopt;
    text += rdata.substr(1, length);
    rdata.remove_prefix(length + 1);
  }
  return text;
}

/// The parts of the RDATA that depend on the type; false if they cannot be read.
bool read_rdata(const getdns_dict* dict, DnsRecord& record) {
  const auto rdata = octets(dict, "/rdata/rdata_raw");
  if (!rdata) return false;
  if (record.type == static_cast<std::uint16_t>(RrType::txt)) {
    auto text = join_strings(*rdata);
    if (text) record.rdata = std::move(*text);
    return text.has_value();
  }
  const bool alias = record.type == static_cast<std::uint16_t>(RrType::cname);
  if (!alias && record.type != static_cast<std::uint16_t>(RrType::mx)) {
    record.rdata = *rdata;
    return true;
  }
  auto target = name(dict, alias ? "/rdata/cname" : "/rdata/exchange");
  const auto preference = alias ? 0 : number(dict, "/rdata/preference");
  if (!target || !preference) return false;
  record.name = std::move(*target);
  record.preference = static_cast<std::uint16_t>(*preference);
  return true;
}

bool read_record(const getdns_dict* dict, DnsMessage& message) {
  const auto type = number(dict, "type");
  if (type == GETDNS_RRTYPE_OPT) return true;  // its class is a size
  const auto ttl = number(dict, "ttl");
  const auto rr_class = number(dict, "class");
  const auto owner = name(dict, "name");
  if (!type || !ttl || !rr_class || !owner) return false;
  if (*rr_class != kClassInternet) return true;
  DnsRecord record;
  record.owner = fold_wire(*owner);
  record.type = static_cast<std::uint16_t>(*type);
  record.ttl = *ttl;
  if (!read_rdata(dict, record)) return false;
  message.answer.push_back(std::move(record));
  return true;
}

/// The smallest life that a SOA of the authority section gives to the denial (RFC 2308 5).
bool read_denial(const getdns_dict* dict, DnsMessage& message) {
  if (number(dict, "type") != std::uint32_t{kTypeSoa}) return true;
  const auto ttl = number(dict, "ttl");
  const auto minimum = number(dict, "/rdata/minimum");
  if (!ttl || !minimum) return false;
  message.negative_ttl =
      std::min({*ttl, *minimum, message.negative_ttl.value_or(std::uint32_t(-1))});
  return true;
}

bool read_question(const getdns_dict* reply, DnsMessage& message) {
  const auto question = name(reply, "/question/qname");
  const auto type = number(reply, "/question/qtype");
  const auto question_class = number(reply, "/question/qclass");
  if (!question || !type || !question_class) return false;
  message.question_name = fold_wire(*question);
  message.question_type = static_cast<std::uint16_t>(*type);
  message.question_class = static_cast<std::uint16_t>(*question_class);
  return true;
}

}  // namespace

DnsMessage read_response(const getdns_dict* response) {
  DnsMessage message;
  message.malformed = true;
  message.rcode = static_cast<std::uint16_t>(Rcode::serv_fail);
  // A constant function in all but its type: getdns gives out inner dictionaries as mutable.
  getdns_list* replies = nullptr;
  getdns_dict* reply = nullptr;
  if (getdns_dict_get_list(response, "replies_tree", &replies) != GETDNS_RETURN_GOOD ||
      getdns_list_get_dict(replies, 0, &reply) != GETDNS_RETURN_GOOD) {
    return message;
  }
  const auto rcode = number(reply, "/header/rcode");
  const auto truncated = number(reply, "/header/tc");
  const auto authentic = number(reply, "/header/ad");
  if (!rcode || !truncated || !authentic) return message;
  message.rcode = static_cast<std::uint16_t>(*rcode);
  message.truncated = *truncated != 0;
  message.authentic = *authentic != 0;
  message.malformed =
      !read_question(reply, message) ||
      !each(reply, "answer", [&](getdns_dict* rr) { return read_record(rr, message); }) ||
      !each(reply, "authority", [&](getdns_dict* rr) { return read_denial(rr, message); });
  return message;
}

}  // namespace sealane

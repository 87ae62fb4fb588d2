// SPDX-License-Identifier: Apache-2.0
#include "adapters/dns/wire_message.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "adapters/dns/wire_name.h"

namespace sealane {
namespace {

constexpr std::size_t kHeader = 12;
constexpr std::uint16_t kTypeOpt = 41;
/// Most pointers of one name: a name has at most 127 labels, and more is only there to cost time.
constexpr int kMaxPointers = 127;

/// A place in a message.  Reading beyond the end, or a bad name, makes it bad for good.
class Reader {
 public:
  explicit Reader(std::string_view message, std::size_t at = 0) : message_(message), at_(at) {}

  bool good() const { return good_; }
  std::size_t at() const { return at_; }

  std::uint16_t u16() {
    const std::string_view two = octets(2);
    if (!good_) return 0;
    return static_cast<std::uint16_t>(static_cast<unsigned char>(two[0]) << 8 |
                                      static_cast<unsigned char>(two[1]));
  }

  std::uint32_t u32() {
    const std::uint32_t high = u16();
    return high << 16 | u16();
  }

  std::string_view octets(std::size_t count) {
    if (!good_ || message_.size() - at_ < count) {
      good_ = false;
      return {};
    }
    at_ += count;
    return message_.substr(at_ - count, count);
  }

  /// A name, decompressed.  Pointers go backwards only, so every name ends (RFC 1035 4.1.4).
  std::string name() {
    std::string wire;
    std::size_t from = at_;
    std::optional<std::size_t> behind;  // where reading goes on, once a pointer was followed
    std::size_t lowest = at_;
    int pointers = 0;
    while (good_ && from < message_.size()) {
      const auto length = static_cast<unsigned char>(message_[from]);
      if (length > kMaxLabelLength) {
        const auto target = pointer(from);
        if (!target || *target >= lowest || ++pointers > kMaxPointers) break;
        if (!behind) behind = from + 2;
        from = lowest = *target;
        continue;
      }
      if (message_.size() - from <= length) break;
      wire += message_.substr(from, length + 1u);
      from += length + 1u;
      if (wire.size() > kMaxWireName) break;
      if (length > 0) continue;
      at_ = behind.value_or(from);
      return wire;
    }
    good_ = false;
    return {};
  }

 private:
  std::optional<std::size_t> pointer(std::size_t from) const {
    constexpr unsigned kPointer = 0xc0;
    const unsigned first = static_cast<unsigned char>(message_[from]);
    if ((first & kPointer) != kPointer || from + 1 >= message_.size()) return std::nullopt;
    return (first & ~kPointer) << 8 | static_cast<unsigned char>(message_[from + 1]);
  }

  std::string_view message_;
  std::size_t at_;
  bool good_ = true;
};

/// The character-strings of a TXT record, joined; nothing if they do not fill the data exactly.
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

class Parser {
 public:
  explicit Parser(std::string_view wire) : wire_(wire), in_(wire) {}

  DnsMessage run() {
    in_.u16();  // the transaction: whoever asked has compared it
    const std::uint16_t flags = in_.u16();
    message_.rcode = flags & 0x0f;
    message_.authentic = (flags & 0x0020) != 0;
    message_.truncated = (flags & 0x0200) != 0;
    const bool response = (flags & 0x8000) != 0;
    const std::uint16_t questions = in_.u16();
    const std::uint16_t answers = in_.u16();
    const std::uint16_t authorities = in_.u16();
    const std::uint16_t additionals = in_.u16();
    message_.malformed = !response || !question(questions) || !section(answers, &Parser::answer) ||
                         !section(authorities, &Parser::authority) ||
                         !section(additionals, &Parser::additional);
    return std::move(message_);
  }

 private:
  struct Head {
    std::string owner;
    std::uint16_t type = 0;
    std::uint16_t rr_class = 0;
    std::uint32_t ttl = 0;
    std::string_view rdata;
    std::size_t begin = 0;  ///< of the data, in the message
  };

  bool question(std::uint16_t count) {
    if (count != 1) return false;
    message_.question_name = fold_wire(in_.name());
    message_.question_type = in_.u16();
    message_.question_class = in_.u16();
    return in_.good();
  }

  bool section(std::uint16_t count, bool (Parser::*take)(Head&)) {
    for (std::uint16_t i = 0; i < count; ++i) {
      Head head;
      head.owner = fold_wire(in_.name());
      head.type = in_.u16();
      head.rr_class = in_.u16();
      head.ttl = in_.u32();
      const std::uint16_t length = in_.u16();
      head.begin = in_.at();
      head.rdata = in_.octets(length);
      if (!in_.good()) return false;
      if (!(this->*take)(head)) return false;
    }
    return true;
  }

  bool answer(Head& head) {
    if (head.rr_class != kClassInternet) return true;
    DnsRecord record;
    record.owner = std::move(head.owner);
    record.type = head.type;
    record.ttl = head.ttl;
    if (!data(head, record)) return false;
    message_.answer.push_back(std::move(record));
    return true;
  }

  bool data(const Head& head, DnsRecord& record) {
    if (head.type == static_cast<std::uint16_t>(RrType::txt)) {
      std::optional<std::string> text = join_strings(head.rdata);
      if (!text) return false;
      record.rdata = *std::move(text);
      return true;
    }
    const bool mx = head.type == static_cast<std::uint16_t>(RrType::mx);
    if (!mx && head.type != static_cast<std::uint16_t>(RrType::cname)) {
      record.rdata = head.rdata;
      return true;
    }
    // Names in the data may point to what stands before it, and end where it ends.
    Reader inside(wire_.substr(0, head.begin + head.rdata.size()), head.begin);
    if (mx) record.preference = inside.u16();
    record.name = inside.name();
    return inside.good() && inside.at() == head.begin + head.rdata.size();
  }

  /// A denial lives by the smaller of the SOA's TTL and its minimum (RFC 2308 5).
  bool authority(Head& head) {
    if (head.type != kTypeSoa || head.rr_class != kClassInternet) return true;
    Reader inside(wire_.substr(0, head.begin + head.rdata.size()), head.begin);
    inside.name();
    inside.name();
    inside.octets(16);  // serial, refresh, retry, expire
    const std::uint32_t minimum = inside.u32();
    if (!inside.good()) return false;
    const std::uint32_t life = std::min(head.ttl, minimum);
    message_.negative_ttl = std::min(life, message_.negative_ttl.value_or(life));
    return true;
  }

  /// EDNS keeps the upper bits of the rcode where other records have their TTL (RFC 6891 6.1.3):
  /// without them, "bad version" would read as "no error".
  bool additional(Head& head) {
    if (head.type == kTypeOpt) message_.rcode |= static_cast<std::uint16_t>(head.ttl >> 24 << 4);
    return true;
  }

  std::string_view wire_;
  Reader in_;
  DnsMessage message_;
};

}  // namespace

DnsMessage parse_message(std::string_view wire) {
  if (wire.size() >= kHeader) return Parser(wire).run();
  DnsMessage message;
  message.rcode = static_cast<std::uint16_t>(Rcode::serv_fail);
  message.malformed = true;
  return message;
}

std::string write_query(std::uint16_t id, std::string_view name, std::uint16_t type) {
  constexpr std::uint16_t kRecursionDesired = 0x0100, kAuthenticData = 0x0020;
  std::string query;
  const auto put = [&query](std::uint16_t value) {
    query.push_back(static_cast<char>(value >> 8));
    query.push_back(static_cast<char>(value & 0xff));
  };
  put(id);
  put(kRecursionDesired | kAuthenticData);
  for (const std::uint16_t records : {1, 0, 0, 1}) put(records);
  name.remove_suffix(1);
  query += to_wire(name);
  put(type);
  put(kClassInternet);
  query.push_back('\0');  // the root, owner of the EDNS record (RFC 6891 6.1.2)
  put(kTypeOpt);
  put(kUdpPayload);
  for (int i = 0; i < 3; ++i) put(0);  // no flags, no options
  return query;
}

}  // namespace sealane

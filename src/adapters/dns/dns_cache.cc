// SPDX-License-Identifier: Apache-2.0
#include "adapters/dns/dns_cache.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace sealane {
namespace {

using std::chrono::seconds;

std::string key_of(const Domain& name, RrType type) {
  return name.text() + ' ' + std::string(name_of(type));
}

/// Roughly what a reply takes: texts and data, and the room around each of them.
std::size_t weigh(const std::string& key, const DnsReply& reply) {
  std::size_t octets = sizeof(DnsReply) + 2 * key.size() + 200;
  octets += reply.addresses.size() * sizeof(reply.addresses[0]);
  for (const auto& text : reply.aliases) octets += sizeof(text) + text.size();
  for (const auto& text : reply.txt) octets += sizeof(text) + text.size();
  for (const auto& record : reply.mx) octets += sizeof(record) + record.target.size();
  for (const auto& record : reply.tlsa) octets += sizeof(record) + record.data.size();
  return octets;
}

/// The life of an answer; 0 = once.
seconds answer_life(const Domain& name, RrType type, const DnsReply& reply) {
  if (reply.negative()) return std::clamp(reply.ttl, kMinNegativeLife, kMaxLife);
  if (type == RrType::txt && name.text().starts_with("_mta-sts.")) {
    return std::clamp(reply.ttl, kMinPolicyTxtLife, kMaxLife);
  }
  return std::clamp(reply.ttl, seconds{0}, kMaxLife);
}

}  // namespace

std::optional<DnsReply> DnsCache::find(const Domain& name, RrType type, SteadyTime now) {
  const auto found = places_.find(key_of(name, type));
  if (found == places_.end()) return std::nullopt;
  used_.splice(used_.begin(), used_, found->second);
  const Entry& entry = *found->second;
  if (entry.expires <= now) return std::nullopt;  // kept: it may count errors
  DnsReply reply = entry.reply;
  reply.ttl = std::chrono::duration_cast<seconds>(entry.expires - now);
  return reply;
}

seconds DnsCache::life(const Domain& name, RrType type, const DnsReply& reply) {
  if (!reply.failed()) return answer_life(name, type, reply);
  return reply.own_fault ? kOwnFaultLife : kErrorLives[0];
}

DnsReply DnsCache::put(const Domain& name, RrType type, DnsReply reply, SteadyTime now) {
  const std::string key = key_of(name, type);
  const auto before = places_.find(key);
  const Entry* old = before == places_.end() ? nullptr : &*before->second;
  std::size_t errors = 0;
  if (reply.failed() && reply.own_fault) {
    // Says nothing about the domain: a row of errors is neither ended nor made longer.
    errors = old == nullptr ? 0 : old->errors;
    reply.ttl = kOwnFaultLife;
  } else if (reply.failed()) {
    reply.ttl = error_life(old, now, errors);
  } else {
    reply.ttl = answer_life(name, type, reply);
  }
  if (before != places_.end()) erase(before->second);
  if (reply.ttl == seconds{0}) return reply;
  used_.push_front({key, reply, now + reply.ttl, errors, weigh(key, reply)});
  places_.emplace(key, used_.begin());
  octets_ += used_.front().octets;
  evict();
  return reply;
}

seconds DnsCache::error_life(const Entry* before, SteadyTime now, std::size_t& errors) const {
  const bool in_a_row = before != nullptr && now - before->expires <= kErrorMemory;
  const std::size_t earlier = in_a_row ? before->errors : 0;
  errors = earlier + 1;
  return kErrorLives[std::min(earlier, std::size(kErrorLives) - 1)];
}

void DnsCache::erase(Place place) {
  octets_ -= place->octets;
  places_.erase(place->key);
  used_.erase(place);
}

void DnsCache::evict() {
  while (used_.size() > max_entries_ || (octets_ > max_octets_ && used_.size() > 1)) {
    erase(std::prev(used_.end()));
  }
}

}  // namespace sealane

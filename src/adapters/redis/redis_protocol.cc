// SPDX-License-Identifier: Apache-2.0
#include "adapters/redis/redis_protocol.h"

#include <hiredis/hiredis.h>
#include <hiredis/read.h>

#include <new>

#include "base/text.h"

namespace sealane {
namespace {

using Kind = RedisReply::Kind;

Kind kind_of(int type) {
  switch (type) {
    case REDIS_REPLY_STATUS:
      return Kind::status;
    case REDIS_REPLY_ERROR:
      return Kind::error;
    default:
      return Kind::text;
  }
}

void* make_text(const redisReadTask* task, char* text, std::size_t size) {
  return new RedisReply{kind_of(task->type), std::string(text, size), 0};
}
void* make_number(const redisReadTask*, long long number) {
  return new RedisReply{Kind::number, {}, number};
}
void* make_nil(const redisReadTask*) { return new RedisReply{}; }
void drop(void* reply) { delete static_cast<RedisReply*>(reply); }

/// A null stands for "out of memory" and ends the stream.  What is not set, hiredis answers with a
/// number in the place of a pointer; the types of RESP3 exist since its version 1.0.
template <class Functions>
void refuse_other_types(Functions& make) {
  if constexpr (requires { make.createDouble; }) {
    make.createDouble = [](const redisReadTask*, double, char*, std::size_t) -> void* {
      return nullptr;
    };
  }
  if constexpr (requires { make.createBool; }) {
    make.createBool = [](const redisReadTask*, int) -> void* { return nullptr; };
  }
}

/// Before its elements are there, hiredis would make room for as many as the other side announces.
redisReplyObjectFunctions object_functions() {
  redisReplyObjectFunctions make{};
  make.createString = make_text;
  make.createArray = [](const redisReadTask*, auto) -> void* { return nullptr; };
  make.createInteger = make_number;
  make.createNil = make_nil;
  make.freeObject = drop;
  refuse_other_types(make);
  return make;
}

}  // namespace

std::string format_command(const RedisCommand& command) {
  std::vector<const char*> words;
  std::vector<std::size_t> sizes;
  for (const std::string& word : command) {
    words.push_back(word.data());
    sizes.push_back(word.size());
  }
  char* octets = nullptr;
  const int size =
      redisFormatCommandArgv(&octets, static_cast<int>(words.size()), words.data(), sizes.data());
  if (size < 0) throw std::bad_alloc();
  std::string formatted(octets, static_cast<std::size_t>(size));
  redisFreeCommand(octets);
  return formatted;
}

struct RedisParser::Reader {
  redisReplyObjectFunctions functions = object_functions();
  redisReader* native = redisReaderCreateWithFunctions(&functions);

  Reader() {
    if (native == nullptr) throw std::bad_alloc();
  }
  ~Reader() { redisReaderFree(native); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
};

RedisParser::RedisParser() : reader_(std::make_unique<Reader>()) {}
RedisParser::~RedisParser() = default;

void RedisParser::feed(std::string_view octets) {
  // A failure stays, and next() tells it.
  redisReaderFeed(reader_->native, octets.data(), octets.size());
}

Result<std::optional<RedisReply>> RedisParser::next() {
  void* object = nullptr;
  redisReader* native = reader_->native;
  if (redisReaderGetReply(native, &object) != REDIS_OK) {
    return failure("no reply of a Redis: {}", escape(native->errstr));
  }
  if (object != nullptr) {
    const std::unique_ptr<RedisReply> reply(static_cast<RedisReply*>(object));
    return std::optional<RedisReply>(std::move(*reply));
  }
  if (native->len - native->pos > kMaxRedisReply) {
    return failure("a reply of more than {} octets", kMaxRedisReply);
  }
  return std::optional<RedisReply>();
}

}  // namespace sealane

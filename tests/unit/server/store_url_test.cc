// SPDX-License-Identifier: Apache-2.0
#include "server/store_url.h"

#include <doctest/doctest.h>

#include "server/config.h"

namespace sealane {
namespace {

RedisUrl url(std::string_view text) {
  const auto read = RedisUrl::parse(text);
  REQUIRE_MESSAGE(read.has_value(), std::string(text));
  return *read;
}

TEST_CASE("a host, its port and its database") {
  CHECK(url("redis://cache.example.net").host == "cache.example.net");
  CHECK(url("redis://cache.example.net").port == 6379);
  CHECK_FALSE(url("redis://cache.example.net").tls);
  CHECK(url("rediss://cache.example.net").tls);
  CHECK(url("redis://192.0.2.1:7000/3").port == 7000);
  CHECK(url("redis://192.0.2.1:7000/3").database == 3);
  CHECK(url("redis://[2001:db8::1]:7000").host == "2001:db8::1");
  CHECK(url("redis://[2001:db8::1]").port == 6379);
  CHECK(url("redis://localhost/").database == 0);
}

TEST_CASE("a login, percent-encoded where it must be") {
  CHECK(url("redis://mta:s3cret@localhost").user == "mta");
  CHECK(url("redis://mta:s3cret@localhost").password == "s3cret");
  CHECK(url("redis://:s3cret@localhost").user.empty());
  CHECK(url("redis://:a:b@localhost").password == "a:b");
  CHECK(url("redis://:p%40%2F%3f@localhost/1").password == "p@/?");
  CHECK(url("redis://:p@ss@localhost").password == "p@ss");
}

TEST_CASE("a unix socket") {
  const RedisUrl read = url("redis+unix://mta:s3cret@/run/redis/redis.sock?db=2");
  CHECK(read.socket == "/run/redis/redis.sock");
  CHECK(read.host.empty());
  CHECK(read.user == "mta");
  CHECK(read.password == "s3cret");
  CHECK(read.database == 2);
  CHECK(url("redis+unix:///s").socket == "/s");
  CHECK(url("redis+unix:///" + std::string(106, 's')).socket.size() == 107);
}

TEST_CASE("what it says is shown without the password, and else read back the same") {
  for (const std::string_view text :
       {"redis://localhost:6379", "rediss://cache.example.net:7000/3", "redis+unix:///run/s?db=2",
        "redis://[2001:db8::1]:6379", "redis://mta:***@localhost:6379", "redis://:***@localhost:1",
        "redis+unix://mta:***@/run/s"}) {
    CHECK(url(text).text() == text);
  }
  CHECK(url("redis://mta:s3cret@localhost").text() == "redis://mta:***@localhost:6379");
}

TEST_CASE("anything else is refused with what is allowed") {
  const std::vector<std::pair<std::string, std::string>> wrong{
      {"redis:localhost", "allowed are redis://, rediss:// and redis+unix://"},
      {"redis", "allowed are redis://, rediss:// and redis+unix://"},
      {"redis://", "the host is no name and no address"},
      {"redis://user@localhost", "before \"@\", allowed is USER:PASSWORD, or :PASSWORD"},
      {"redis://user:@localhost", "before \"@\", allowed is USER:PASSWORD, or :PASSWORD"},
      {"redis://:%4@localhost", "before \"@\", a \"%\" needs two hexadecimal digits"},
      {"redis://:%zz@localhost", "before \"@\", a \"%\" needs two hexadecimal digits"},
      {"redis://local host", "the host is no name and no address"},
      {"redis://2001:db8::1", "the port is a number from 1 to 65535"},
      {"redis://[localhost]", "the host is no name and no address"},
      {"redis://[::1", "\"]\" is missing"},
      {"redis://[::1]7", "the port is a number from 1 to 65535"},
      {"redis://localhost:", "the port is a number from 1 to 65535"},
      {"redis://localhost:0", "the port is a number from 1 to 65535"},
      {"redis://localhost:65536", "the port is a number from 1 to 65535"},
      {"redis://localhost/x", "the database is a number from 0 to 9999"},
      {"redis://localhost/1/2", "the database is a number from 0 to 9999"},
      {"redis://localhost?db=1", "the host is no name and no address"},
      {"redis+unix://run/redis.sock", "allowed is an absolute path of up to 107 octets"},
      {"redis+unix:///" + std::string(107, 's'), "allowed is an absolute path of up to 107 octets"},
      {"redis+unix:///s?database=1", "after \"?\", allowed is db=NUMBER"},
      {"redis+unix:///s?db=10000", "the database is a number from 0 to 9999"}};
  for (const auto& [url, why] : wrong) {
    const std::string text = url;
    CAPTURE(text);
    const auto read = RedisUrl::parse(text);
    REQUIRE_FALSE(read.has_value());
    CHECK(read.error() == why);
  }
}

Result<Config> config(const std::string& lines) {
  const auto settings = parse_config_text("[store]\n" + lines, "f");
  if (!settings) return tl::unexpected(settings.error());
  return make_config(*settings, {});
}

TEST_CASE("store.url takes one file and one server, in any order") {
  const auto both = config("url = redis://:s3cret@localhost\nurl = sqlite:/var/lib/x\n");
  REQUIRE_MESSAGE(both.has_value(), both.error());
  CHECK(both->store_path == "/var/lib/x");
  REQUIRE(both->shared_store.has_value());
  CHECK(both->shared_store->password == "s3cret");
  const auto server = config("url = redis://localhost\n");
  REQUIRE(server.has_value());
  CHECK(server->store_path == kDefaultStore);
  CHECK(config("url = sqlite:/a\nurl = sqlite:/b\n").error() ==
        "f:3: store.url = sqlite:/b: a file is given already, and one is enough");
  CHECK(config("url = redis://a\nurl = redis://b\n").error() ==
        "f:3: store.url = redis://b: a server is given already, and one is enough");
}

TEST_CASE("the certificate of the server is judged by a file of its own") {
  const auto read = config("url = rediss://localhost\nca-file = /etc/ssl/cache.pem\n");
  REQUIRE_MESSAGE(read.has_value(), read.error());
  CHECK(read->store_ca_file == "/etc/ssl/cache.pem");
  CHECK(read->ca_file.empty());
  CHECK(config_text(*read).find("ca-file = /etc/ssl/cache.pem") != std::string::npos);
  CHECK_FALSE(config("ca-file = cache.pem\n").has_value());
}

TEST_CASE("no error and no list of options holds the password") {
  CHECK(config_text(*config("url = redis://mta:s3cret@localhost\n")).find("s3cret") ==
        std::string::npos);
  for (const std::string wrong :
       {"url = redis://mta:s3cret@", "url = redis:s3cret@localhost", "url = redis://:s3cret@a b",
        "url redis://mta:s3cret@localhost", "url = rediss://m:s3cret@x@h:0",
        "url = redis+unix://:s3cret@s", "url = redis://:%zzs3cret@h",
        "url = redis://a\nurl = redis://:s3cret@h", "url = valkey://:s3cret@h",
        "url = Redis://:s3cret@h", "url = REDISS://m:s3cret@h", "url = http://:s3cret@h",
        "url = rediss:s3://cret@h", "url valkey://mta:s3cret@h", "url = mta:s3cret@h"}) {
    const auto read = config(wrong + "\n");
    CAPTURE(wrong);
    REQUIRE_FALSE(read.has_value());
    CHECK(read.error().find("s3") == std::string::npos);
    CHECK(read.error().find("cret") == std::string::npos);
    CHECK(read.error().find("***") != std::string::npos);
  }
}

}  // namespace
}  // namespace sealane

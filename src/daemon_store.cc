// SPDX-License-Identifier: Apache-2.0
#include "daemon_store.h"

#include <utility>

#include "adapters/store/sqlite_store.h"

namespace sealane {
namespace {

RedisOptions redis_options(const RedisUrl& url, const std::string& ca_file) {
  RedisOptions options;
  options.tls = url.tls;
  options.host = url.host;
  options.port = url.port;
  options.socket = url.socket;
  options.user = url.user;
  options.password = url.password;
  options.database = url.database;
  options.ca_file = ca_file;
  return options;
}

}  // namespace

Result<DaemonStore> open_store(const Config& config, bool reset,
                               boost::asio::any_io_executor lookup, const Clock& clock) {
  auto local = SqliteStore::open({"sqlite:" + config.store_path, reset});
  if (!local) return tl::unexpected(std::move(local.error()));
  DaemonStore store;
  if (!config.shared_store) {
    store.policies = std::move(*local);
    return store;
  }
  auto shared =
      SharedStore::create(std::move(lookup), std::move(*local),
                          redis_options(*config.shared_store, config.store_ca_file), clock);
  if (!shared) {
    return failure("store.url = {}: {}", config.shared_store->text(), shared.error());
  }
  store.shared = shared->get();
  store.policies = std::move(*shared);
  return store;
}

}  // namespace sealane

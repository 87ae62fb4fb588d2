// SPDX-License-Identifier: Apache-2.0
// What the tests of the store share.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "adapters/store/sqlite_store.h"
#include "base/log.h"
#include "fakes.h"

namespace sealane {

/// A folder that goes with the test.
class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "store-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::string path(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& entry : std::filesystem::directory_iterator(path_)) {
      all.push_back(entry.path().filename().string());
    }
    std::sort(all.begin(), all.end());
    return all;
  }

 private:
  std::string path_;
};

inline std::chrono::sys_seconds at(std::int64_t seconds) {
  return std::chrono::sys_seconds(std::chrono::seconds(seconds));
}

/// A store and the loop of its callers, which outlives it; each function runs to its end.
class Opened {
 public:
  explicit Opened(const std::string& path, bool reset = false) {
    set_log_level(Severity::alarm);
    auto opened = SqliteStore::open({"sqlite:" + path, reset});
    REQUIRE_MESSAGE(opened.has_value(), opened.error());
    store = std::move(*opened);
  }

  auto put(const Domain& name, const StsMemory& memory) {
    return run(store->put(name, memory), io);
  }
  auto find(const Domain& name) { return run(store->find(name), io); }
  auto erase(const Domain& name) { return run(store->erase(name), io); }
  auto walk(const std::string& after, std::size_t limit) {
    return run(store->walk(after, limit), io);
  }
  auto stats() { return run(store->stats(), io); }

  boost::asio::io_context io;
  std::unique_ptr<SqliteStore> store;
};

/// Why it does not open; with the path as "PATH" so that texts can be compared.
inline std::string refusal(const std::string& path, bool reset = false) {
  auto store = SqliteStore::open({"sqlite:" + path, reset});
  if (store) return "opened";
  std::string text = store.error();
  for (auto at = text.find(path); at != text.npos; at = text.find(path)) {
    text.replace(at, path.size(), "PATH");
  }
  return text;
}

/// What the row of this number holds.
inline StsMemory memory_of(int number) {
  StsMemory memory;
  memory.policy = StoredPolicy{"1", std::string(200, 'x'), at(1), at(2)};
  memory.txt_id = std::to_string(number);
  return memory;
}

inline Domain name_of_row(int number) { return domain(fmt::format("n{}.example", number)); }

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
// The policy memory in one SQLite file; docs/formats.md, "Stored schema", has its columns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "lookup/policy_store.h"
#include "policy/domain.h"

struct sqlite3;

namespace sealane {

inline constexpr int kStoreApplicationId = 0x53454c4e;  ///< "SELN": whose file it is
inline constexpr int kStoreSchema = 2;                  ///< the file's user_version
/// Octets up to which a file is checked whole at the start.  A million domains have 240 MB, which
/// take a second; SQLite 3.40 cannot be interrupted in it.
inline constexpr std::uintmax_t kMaxCheckedStore = 1024 * 1024 * 1024;
/// Octets of any text but a policy body.  Ids have 32, failures a few hundred.
inline constexpr std::size_t kMaxStoredText = 64 * 1024;

/// Why a store does not open.
struct StoreRefusal {
  std::string text;
  bool bad_file = false;  ///< what is there is not a store we can use; moving it aside would help
};

/// Synchronous; one thread at a time.  A failed Result names the file and the cause.
class Database {
 public:
  /// Opens the file, or creates it with mode 0600; brings an older schema up to date.  Checks that
  /// it is ours, its schema, and, up to `check_size` octets, its integrity (PRAGMA quick_check, and
  /// the order of the names).  In a larger file damage shows when it is read.
  static tl::expected<std::unique_ptr<Database>, StoreRefusal> open(
      const std::string& path, std::uintmax_t check_size = kMaxCheckedStore);
  ~Database();

  Result<std::optional<StsMemory>> find(const Domain& domain);
  Result<void> put(const Domain& domain, const StsMemory& memory);
  Result<void> erase(const Domain& domain);
  /// Leaves out rows that cannot be read: each is logged once.
  Result<std::vector<std::pair<Domain, StsMemory>>> walk(const std::string& after,
                                                         std::size_t limit);
  /// Those that walks have left out since the start, and that are there still.
  std::size_t unreadable_rows() const { return unreadable_.size(); }
  Result<StoreStats> stats();
  Result<void> add_event(const Event& event);
  /// Leaves out as walk() does; so does walk_dane().
  Result<std::vector<StoredEvent>> events(const std::optional<Domain>& domain, std::size_t limit,
                                          std::uint64_t after);
  Result<void> put_dane(const Domain& domain, const std::optional<DaneMemory>& memory);
  Result<std::vector<std::pair<Domain, DaneMemory>>> walk_dane(const std::string& after,
                                                               std::size_t limit);

  /// All that `work` does, or nothing of it.  Success means that it is durable.
  Result<void> transaction(const std::function<Result<void>()>& work);

 private:
  class Statements;
  explicit Database(std::string path);
  std::optional<StoreRefusal> connect();
  std::optional<StoreRefusal> check_schema() const;
  std::optional<std::int64_t> schema() const;
  std::optional<StoreRefusal> migrate();
  std::optional<StoreRefusal> use_wal();
  std::optional<StoreRefusal> check_integrity();
  std::optional<StoreRefusal> check_order();
  StoreRefusal unreadable() const;
  void note_unreadable(const std::string& name, const std::string& why);
  Result<void> execute(const char* sql);
  tl::unexpected<std::string> failed() const;
  /// The text of a history table's failure: its own, or else SQLite's.
  template <class T>
  Result<T> explained(Result<T> result) const;

  std::string path_;
  std::unique_ptr<sqlite3, int (*)(sqlite3*)> connection_;
  std::unique_ptr<Statements> statements_;  // goes before the connection
  std::set<std::string> unreadable_;        ///< escaped names of the rows that a walk has left out
};

/// What put() demands: that find() will be able to read it.
Result<void> check_storable(const StsMemory& memory);

}  // namespace sealane

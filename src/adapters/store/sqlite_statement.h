// SPDX-License-Identifier: Apache-2.0
// A prepared SQL statement.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace sealane {

/// Values are bound in order, then step() runs it; read columns by index.  One thread.
class Statement {
 public:
  enum class Outcome { row, done, failed };

  /// Invalid, as ok() tells, if the SQL does not fit the schema.
  Statement(sqlite3* connection, std::string_view sql);

  bool ok() const { return statement_ != nullptr; }

  /// Forgets the last run and its values.
  Statement& restart();
  Statement& bind(std::int64_t value);
  Statement& bind(std::string_view text);  ///< must live until the next restart()
  Statement& bind(std::chrono::sys_seconds time);
  Statement& bind_null();
  Outcome step();

  bool is_null(int column) const;
  std::int64_t number(int column) const;
  std::string text(int column) const;

 private:
  std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)> statement_;
  int next_ = 1;
  bool bound_ = true;
};

}  // namespace sealane

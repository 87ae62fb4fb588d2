// SPDX-License-Identifier: Apache-2.0
#include "adapters/store/sqlite_statement.h"

#include <sqlite3.h>

namespace sealane {

Statement::Statement(sqlite3* connection, std::string_view sql)
    : statement_(nullptr, sqlite3_finalize) {
  sqlite3_stmt* prepared = nullptr;
  sqlite3_prepare_v3(connection, sql.data(), static_cast<int>(sql.size()),
                     SQLITE_PREPARE_PERSISTENT, &prepared, nullptr);
  statement_.reset(prepared);
}

Statement& Statement::restart() {
  sqlite3_reset(statement_.get());
  sqlite3_clear_bindings(statement_.get());
  next_ = 1;
  bound_ = true;
  return *this;
}

Statement& Statement::bind(std::int64_t value) {
  bound_ = bound_ && sqlite3_bind_int64(statement_.get(), next_++, value) == SQLITE_OK;
  return *this;
}

Statement& Statement::bind(std::string_view text) {
  // An empty view may hold a null pointer, which would bind NULL.
  const char* octets = text.empty() ? "" : text.data();
  bound_ = bound_ && sqlite3_bind_text64(statement_.get(), next_++, octets, text.size(),
                                         SQLITE_STATIC, SQLITE_UTF8) == SQLITE_OK;
  return *this;
}

Statement& Statement::bind(std::chrono::sys_seconds time) {
  return bind(static_cast<std::int64_t>(time.time_since_epoch().count()));
}

Statement& Statement::bind_null() {
  bound_ = bound_ && sqlite3_bind_null(statement_.get(), next_++) == SQLITE_OK;
  return *this;
}

Statement::Outcome Statement::step() {
  if (!bound_) return Outcome::failed;
  switch (sqlite3_step(statement_.get())) {
    case SQLITE_ROW:
      return Outcome::row;
    case SQLITE_DONE:
      return Outcome::done;
    default:
      return Outcome::failed;
  }
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}

std::int64_t Statement::number(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

std::string Statement::text(int column) const {
  const auto* octets = reinterpret_cast<const char*>(sqlite3_column_text(statement_.get(), column));
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return octets == nullptr ? std::string() : std::string(octets, static_cast<std::size_t>(size));
}

}  // namespace sealane

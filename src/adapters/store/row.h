// SPDX-License-Identifier: Apache-2.0
// One row of the table `domains`: what is remembered of one policy domain.
#pragma once

#include <string>
#include <utility>

#include "adapters/store/sqlite_statement.h"
#include "base/result.h"
#include "lookup/policy_store.h"
#include "policy/domain.h"

namespace sealane {

/// All columns, in the order of bind_row() and read_row().
inline constexpr char kColumns[] =
    "domain, policy_id, policy_body, policy_fetched, policy_expires, txt_id, none_since, "
    "txt_error_first, txt_error_count, txt_error_last, txt_error_text, "
    "fetch_error_first, fetch_error_count, fetch_error_last, fetch_error_text, failed_id, asked";

/// One tree holds name and row (WITHOUT ROWID): what can hide a row is a name out of order, and
/// Database::open() looks for that.
inline constexpr char kCreateTables[] = R"(
CREATE TABLE domains (
  domain            TEXT PRIMARY KEY NOT NULL,
  policy_id         TEXT,
  policy_body       TEXT,
  policy_fetched    INTEGER,
  policy_expires    INTEGER,
  txt_id            TEXT NOT NULL,
  none_since        INTEGER,
  txt_error_first   INTEGER NOT NULL,
  txt_error_count   INTEGER NOT NULL,
  txt_error_last    INTEGER NOT NULL,
  txt_error_text    TEXT NOT NULL,
  fetch_error_first INTEGER NOT NULL,
  fetch_error_count INTEGER NOT NULL,
  fetch_error_last  INTEGER NOT NULL,
  fetch_error_text  TEXT NOT NULL,
  failed_id         TEXT NOT NULL,
  asked             INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX domains_policy_expires ON domains (policy_expires) WHERE policy_expires IS NOT NULL;
)";

/// Both must live until the statement is restarted.
void bind_row(Statement& statement, const Domain& domain, const StsMemory& memory);

/// Fails, naming the row and the column, for what bind_row() cannot have written.
Result<std::pair<Domain, StsMemory>> read_row(const Statement& statement);

}  // namespace sealane

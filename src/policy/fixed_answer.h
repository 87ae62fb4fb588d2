// SPDX-License-Identifier: Apache-2.0
// Checks the operator's fixed answers by the grammar of the MTA that will read them.  An MTA that
// gets a text it does not understand holds all mail for the destination, and says so to nobody who
// wrote the text.
#pragma once

#include <string_view>

#include "base/result.h"

namespace sealane {

/// A TLS policy as the tables of Postfix >= 3.4 have it, such as
/// `secure match=mx.example.net servername=hostname`.  The error names the word and the remedy.
/// What only newer versions take is refused: they all read the same answer.  Pure.
Result<void> check_postfix_answer(std::string_view text);

/// A line for Exim, such as `level=secure ignore="!^mx[.]example[.]net$ : *"`: key=value, the level
/// first, values with blanks in double quotes.  The error names the word and the remedy.  Pure.
Result<void> check_exim_answer(std::string_view text);

}  // namespace sealane

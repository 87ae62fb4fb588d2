// SPDX-License-Identifier: Apache-2.0
// What the operator lays down for a destination, whatever the other side publishes.
#pragma once

#include <string>

namespace sealane {

enum class DaneOverride { none, off, only };

struct Override {
  std::string postfix_reply;  ///< a fixed policy text for Postfix; empty = not fixed
  std::string exim_reply;     ///< its Exim form; empty = not fixed
  DaneOverride dane = DaneOverride::none;
  bool sts_off = false;
  bool observe = false;  ///< answer "not found" and only note what would have been said
  std::string reason;    ///< the operator's words

  bool fixed() const { return !postfix_reply.empty() || !exim_reply.empty(); }
  bool any() const { return fixed() || dane != DaneOverride::none || sts_off || observe; }
};

}  // namespace sealane

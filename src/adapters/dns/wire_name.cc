// SPDX-License-Identifier: Apache-2.0
#include "adapters/dns/wire_name.h"

#include <algorithm>

#include "base/text.h"

namespace sealane {

std::string to_wire(std::string_view labels) {
  std::string wire;
  wire.reserve(labels.size() + 2);
  while (!labels.empty()) {
    const std::string_view label = labels.substr(0, labels.find('.'));
    wire.push_back(static_cast<char>(label.size()));
    wire += label;
    labels.remove_prefix(std::min(label.size() + 1, labels.size()));
  }
  wire.push_back('\0');
  return wire;
}

std::string to_wire(const Domain& name) { return to_wire(std::string_view(name.text())); }

std::string fold_wire(std::string_view wire) { return lower_ascii(wire); }

namespace {

/// "\DDD" (RFC 4343), by hand: a hostile answer holds tens of thousands of such octets.
void append_escaped(std::string& text, unsigned char octet) {
  const char digits[] = {'\\', static_cast<char>('0' + octet / 100),
                         static_cast<char>('0' + octet / 10 % 10),
                         static_cast<char>('0' + octet % 10)};
  text.append(digits, sizeof digits);
}

}  // namespace

std::string presentation(std::string_view wire) {
  constexpr std::string_view kSpecial = ".\\\"();@$";  // they mean something in a zone file
  std::string text;
  while (!wire.empty() && wire.front() != '\0') {
    const auto length = static_cast<unsigned char>(wire.front());
    if (!text.empty()) text.push_back('.');
    for (char c : wire.substr(1, length)) {
      const bool plain = c > ' ' && c <= '~' && kSpecial.find(c) == std::string_view::npos;
      if (plain) {
        text.push_back(c);
      } else {
        append_escaped(text, static_cast<unsigned char>(c));
      }
    }
    wire.remove_prefix(length + 1u);
  }
  return text.empty() ? "." : text;
}

}  // namespace sealane

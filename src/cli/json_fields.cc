// SPDX-License-Identifier: Apache-2.0
#include "cli/json_fields.h"

#include <fmt/format.h>

#include <algorithm>

namespace sealane {
namespace json = boost::json;

std::string_view text_at(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  if (value == nullptr || !value->is_string()) return {};
  return {value->get_string().data(), value->get_string().size()};
}

bool has_number(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_number();
}

std::int64_t number_at(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  if (value == nullptr) return 0;
  boost::system::error_code inexact;
  const auto number = value->to_number<std::int64_t>(inexact);
  return inexact ? 0 : number;
}

bool is_true(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_bool() && value->get_bool();
}

const json::object& object_at(const json::object& object, std::string_view name) {
  static const json::object kEmpty;
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_object() ? value->get_object() : kEmpty;
}

const json::array& array_at(const json::object& object, std::string_view name) {
  static const json::array kEmpty;
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_array() ? value->get_array() : kEmpty;
}

std::string joined_at(const json::object& object, std::string_view name, std::string_view separator,
                      std::size_t limit) {
  const json::array& items = array_at(object, name);
  std::string out;
  std::size_t count = 0;
  for (const json::value& item : items) {
    if (count == limit || !item.is_string()) break;
    if (count > 0) out += separator;
    out += std::string_view(item.get_string().data(), item.get_string().size());
    ++count;
  }
  const auto total = std::max(static_cast<std::int64_t>(items.size()),
                              number_at(object, fmt::format("{}_total", name)));
  const auto rest = total - static_cast<std::int64_t>(count);
  if (rest > 0) out += fmt::format("{}... and {} more", count > 0 ? separator : "", rest);
  return out;
}

}  // namespace sealane

// SPDX-License-Identifier: Apache-2.0
// Members of a JSON object whose form is not certain: what is missing or of another type is empty.
#pragma once

#include <boost/json.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sealane {

std::string_view text_at(const boost::json::object& object, std::string_view name);
std::int64_t number_at(const boost::json::object& object, std::string_view name);
bool has_number(const boost::json::object& object, std::string_view name);
bool is_true(const boost::json::object& object, std::string_view name);
/// A reference into `object`, or to an empty one that lives for ever.
const boost::json::object& object_at(const boost::json::object& object, std::string_view name);
const boost::json::array& array_at(const boost::json::object& object, std::string_view name);

/// The texts of the list `name`, at most `limit`; the others, and those that NAME_total counts
/// beyond the list, are "... and N more".
std::string joined_at(const boost::json::object& object, std::string_view name,
                      std::string_view separator, std::size_t limit);

}  // namespace sealane

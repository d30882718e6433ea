// SPDX-License-Identifier: Apache-2.0
// Fields of what a perch answered, which may be another version: one that is missing or of another
// kind is empty or zero. Texts are safe to show.
#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <string>

#include "common/value/text.h"

namespace perch::cli {

inline std::string text_at(const nlohmann::json& object, const char* key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  const bool is_text = found != object.end() && found->is_string();
  return is_text ? printable(found->get_ref<const std::string&>()) : "";
}

inline std::uint64_t number_at(const nlohmann::json& object, const char* key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  const bool is_number = found != object.end() && found->is_number_unsigned();
  return is_number ? found->get<std::uint64_t>() : 0;
}

}  // namespace perch::cli

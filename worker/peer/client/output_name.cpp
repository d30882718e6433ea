// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/client/output_name.h"

#include <charconv>
#include <climits>

#include "common/value/text.h"

namespace perch::peer {
namespace {

std::string_view path_of(std::string_view url) {
  url = url.substr(0, url.find_first_of("?#"));
  const std::size_t host = url.find("://");
  if (host == std::string_view::npos) return {};
  const std::size_t path = url.find('/', host + 3);
  return path == std::string_view::npos ? std::string_view() : url.substr(path);
}

// A broken escape stays as it is; '+' is a plus in a path.
std::string decoded(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned char byte = 0;
    const std::string_view hex = text.substr(i + 1, 2);
    if (text[i] == '%' && hex.size() == 2 &&
        std::from_chars(hex.data(), hex.data() + 2, byte, 16).ptr == hex.data() + 2) {
      plain.push_back(static_cast<char>(byte));
      i += 2;
    } else {
      plain.push_back(text[i]);
    }
  }
  return plain;
}

bool is_plain_name(const std::string& name) {
  return !name.empty() && name.size() <= NAME_MAX && name.front() != '.' && name.front() != '-' &&
         name.find('/') == std::string::npos && printable(name) == name;
}

}  // namespace

Result<std::string> output_name(std::string_view url) {
  const std::string_view path = path_of(url);
  std::string name = decoded(path.substr(path.rfind('/') + 1));
  if (name.empty()) return refuse("the URL names no file: say -O FILE");
  if (is_plain_name(name)) return name;
  return refuse("'" + printable(name) + "' is not taken for a file's name: say -O FILE");
}

}  // namespace perch::peer

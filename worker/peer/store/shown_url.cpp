// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/store/shown_url.h"

#include <algorithm>

namespace perch::peer {

std::string shown_url(std::string_view url) {
  const std::size_t scheme = url.find("://");
  // curl takes a third slash, too.
  const std::size_t begin = scheme == std::string_view::npos
                                ? 0
                                : std::min(url.find_first_not_of('/', scheme + 1), url.size());
  const std::string_view authority = url.substr(begin, url.find_first_of("/?#", begin) - begin);
  const std::size_t at = authority.rfind('@');
  std::string shown(url);
  if (at != std::string_view::npos) shown.erase(begin, at + 1);
  return shown;
}

}  // namespace perch::peer

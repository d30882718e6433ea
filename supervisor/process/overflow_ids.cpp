// SPDX-License-Identifier: Apache-2.0
#include "supervisor/process/overflow_ids.h"

#include <charconv>
#include <cstdint>
#include <sstream>
#include <string>

#include "common/posix/file.h"

namespace perch::process {
namespace {

id_t number_in(const std::string& path, id_t otherwise) {
  const auto text = read_file(path);
  id_t number = otherwise;
  if (text) std::from_chars(text->data(), text->data() + text->size(), number);
  return number;
}

bool everybody_has_an_id() {
  std::istringstream map(read_file("/proc/self/uid_map").value_or(""));
  std::uint64_t inside = 1;
  std::uint64_t outside = 1;
  std::uint64_t count = 0;
  map >> inside >> outside >> count;
  return inside == 0 && count == UINT32_MAX;
}

}  // namespace

OverflowIds overflow_ids() {
  OverflowIds ids;
  ids.uid = number_in("/proc/sys/kernel/overflowuid", ids.uid);
  ids.gid = number_in("/proc/sys/kernel/overflowgid", ids.gid);
  return ids;
}

bool is_nobody_known(uid_t uid) { return uid == overflow_ids().uid && !everybody_has_an_id(); }

}  // namespace perch::process

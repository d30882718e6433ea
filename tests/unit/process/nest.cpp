// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/process/nest.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "supervisor/process/memory_cgroup.h"
#include "tests/support/requirement.h"
#include "tests/support/wait_until.h"

namespace perch::test {
namespace {

namespace fs = std::filesystem;

void remove(const std::string& path) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(path, ignored)) {
    if (entry.is_directory()) remove(entry.path());
  }
  (void)wait_until([&] { return ::rmdir(path.c_str()) == 0; });
}

}  // namespace

std::unique_ptr<Nest> Nest::make() {
  const auto own = process::own_unified_cgroup();
  std::string path = own.value_or("") + "/nest-XXXXXX";
  if (!own || ::mkdtemp(path.data()) == nullptr) return nullptr;
  return std::unique_ptr<Nest>(new Nest(std::move(path)));
}

Nest::~Nest() { remove(path_); }

std::string Nest::add(const std::string& name) const {
  std::string path = path_ + "/" + name;
  ::mkdir(path.c_str(), 0755);
  return path;
}

bool usable(const std::unique_ptr<Nest>& nest) {
  return have(nest != nullptr, "needs a writable cgroup version 2");
}

}  // namespace perch::test

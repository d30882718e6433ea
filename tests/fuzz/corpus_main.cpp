// SPDX-License-Identifier: Apache-2.0
// In libFuzzer's place where it is not built: gives the target each file of a directory, whole and
// cut everywhere.
#include <cstdio>
#include <filesystem>
#include <string>

#include "common/posix/file.h"
#include "tests/fuzz/fuzz_target.h"

namespace {

void give(const std::string& text) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(argv[1])) {
    const auto text = perch::read_file(entry.path());
    if (!text) return 1;
    for (std::size_t size = 0; size <= text->size(); ++size) give(text->substr(0, size));
    ++files;
  }
  std::printf("%d files\n", files);
  return files > 0 ? 0 : 1;
}

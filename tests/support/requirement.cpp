// SPDX-License-Identifier: Apache-2.0
#include "tests/support/requirement.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <stdexcept>

namespace perch::test {

bool have(bool condition, std::string_view reason) {
  if (condition) return true;
  const char* all = std::getenv("PERCH_REQUIRE_ALL");
  if (all != nullptr && std::string_view(all) == "1") {
    FAIL_CHECK("PERCH_REQUIRE_ALL=1, but: " << std::string(reason));
  } else {
    std::cout << "[skip] " << reason << std::endl;
  }
  return false;
}

bool is_root() { return ::geteuid() == 0; }

bool is_installed(const std::string& program) {
  for (const char* directory : {"/usr/local/bin/", "/usr/bin/", "/bin/", "/usr/sbin/", "/sbin/"}) {
    if (::access((directory + program).c_str(), X_OK) == 0) return true;
  }
  return false;
}

bool is_sanitized() {
#if defined(__SANITIZE_ADDRESS__)
  return true;
#elif defined(__has_feature)
  return __has_feature(address_sanitizer);
#else
  return false;
#endif
}

bool skip_if_sanitized(std::string_view reason) {
  if (is_sanitized()) std::cout << "[skip] " << reason << std::endl;
  return is_sanitized();
}

std::string from_build(const char* variable) {
  const char* value = std::getenv(variable);
  if (value == nullptr) {
    throw std::runtime_error(std::string(variable) + " is not set: run the tests by 'meson test'");
  }
  return value;
}

}  // namespace perch::test

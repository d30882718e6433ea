// SPDX-License-Identifier: Apache-2.0
// What a test needs and may not find: root, cgroups, a daemon. Where PERCH_REQUIRE_ALL=1 (CI) a
// missing one fails the test; elsewhere the test says so on a line "[skip] reason" and returns.
#pragma once

#include <string>
#include <string_view>

namespace perch::test {

// if (!have(is_root(), "needs root: chown")) return;
[[nodiscard]] bool have(bool condition, std::string_view reason);

[[nodiscard]] bool is_root();
[[nodiscard]] bool is_installed(const std::string& program);
// Built with AddressSanitizer: memory figures say nothing then.
[[nodiscard]] bool is_sanitized();

// Prints "[skip] reason" where is_sanitized(), also in CI: such a build is not what is measured.
[[nodiscard]] bool skip_if_sanitized(std::string_view reason);

// A variable that the build sets for its tests (meson's test(env:)); throws when it is missing.
std::string from_build(const char* variable);

}  // namespace perch::test

// SPDX-License-Identifier: Apache-2.0
// A configuration of nginx that needs nothing but one directory, and answers "hello" on a socket
// there.
#pragma once

#include <string>
#include <string_view>

namespace perch::test {

// `user`: a line of its own, or empty. `log_level` of what goes to stderr.
std::string nginx_config(const std::string& directory, std::string_view socket,
                         std::string_view user, std::string_view log_level);

}  // namespace perch::test

// SPDX-License-Identifier: Apache-2.0
// The file in which Kubernetes looks for a container's last words: /dev/termination-log, or what
// PERCH_TERMINATION_LOG names (empty: none). It is never made, and only a plain file is written to.
// Our line comes last, after what a worker may have left there: a kubelet shows the end of the
// file.
#pragma once

#include <cstddef>
#include <string_view>

namespace perch {

// At most this much of it: a kubelet shows no more.
inline constexpr std::size_t kMaxLastWords = 4096;

// Best effort: where there is no such file nobody asked.
void leave_last_words(std::string_view why);

}  // namespace perch

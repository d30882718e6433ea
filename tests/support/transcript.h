// SPDX-License-Identifier: Apache-2.0
// Transcript: what the processes of a test case printed. It is shown when the test case failed and
// forgotten otherwise; a doctest listener sees to both.
#pragma once

#include <string>
#include <string_view>

namespace perch::test {

// `title` says which process and stream; only the end of long output is kept.
void add_to_transcript(const std::string& title, std::string_view output);

}  // namespace perch::test

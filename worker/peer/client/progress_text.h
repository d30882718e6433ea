// SPDX-License-Identifier: Apache-2.0
// A download's progress in one line: for a log, or as a bar of a given width. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace perch::peer {

struct ProgressView {
  std::uint64_t received = 0;
  std::uint64_t length = 0;
  double speed = 0;  // bytes a second
};

// " 43 %  5.2 MiB of 12.0 MiB  3.7 MiB/s  2s left"
std::string progress_line(const ProgressView& view);
// The same behind a bar that takes the room that is left; never longer than `columns`.
std::string progress_bar(const ProgressView& view, std::size_t columns);

// "2s", "3m12s"; "?" where nothing comes.
std::string time_left(const ProgressView& view);

}  // namespace perch::peer

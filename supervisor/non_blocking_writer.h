// SPDX-License-Identifier: Apache-2.0
// NonBlockingWriter: a bounded buffer before an inherited descriptor (inherited_output.h). A reader
// that stopped reading costs what does not fit, never a wait. Attached to a loop it writes the rest
// as soon as there is room; while nothing is pending it watches nothing. Without a loop the rest
// goes with the next write() or flush().
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "common/loop/fd_watcher.h"
#include "supervisor/inherited_output.h"

namespace perch {

class NonBlockingWriter {
 public:
  static constexpr std::size_t kCapacity = 256U << 10U;

  // `fd` is borrowed.
  explicit NonBlockingWriter(int fd, std::size_t capacity = kCapacity);
  NonBlockingWriter(const NonBlockingWriter&) = delete;
  NonBlockingWriter& operator=(const NonBlockingWriter&) = delete;

  // Takes the whole record or none: false when it does not fit beside what is pending, or when the
  // descriptor refuses it (reader gone, disk full, closed).
  bool write(std::string_view record);
  void flush();
  [[nodiscard]] bool pending() const noexcept { return start_ < buffer_.size(); }
  // Bytes a write() can take now, at least.
  [[nodiscard]] std::size_t room() const noexcept;
  // Lines that were taken and then refused by the descriptor.
  [[nodiscard]] std::uint64_t discarded_lines() const noexcept { return discarded_lines_; }

  // `on_drained` is called from the loop when what was pending is gone. detach() before the loop
  // goes, if the writer outlives it.
  Result<void> attach(Loop& loop, std::function<void()> on_drained = {});
  void detach();

 private:
  std::expected<std::size_t, int> push(std::string_view text);
  void settle();
  void rearm();

  InheritedOutput output_;
  std::size_t capacity_;
  std::string buffer_;
  std::size_t start_ = 0;  // of what is pending in buffer_
  std::uint64_t discarded_lines_ = 0;
  std::function<void()> on_drained_;
  UniqueFd epoll_;
  std::optional<FdWatcher> watcher_;
};

}  // namespace perch

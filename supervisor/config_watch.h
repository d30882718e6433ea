// SPDX-License-Identifier: Apache-2.0
// ConfigWatch: tells when the configuration file has other contents than before. It watches the
// file's directory, since editors and ConfigMaps replace names: a ConfigMap's file is a link into
// "..data", a link that the kubelet swaps. Where the file is a link to another directory, that one
// is watched too. What does not change the contents is no news. Costs nothing while nothing
// happens there.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "common/loop/fd_watcher.h"
#include "common/loop/timer.h"
#include "common/value/unique_fd.h"

namespace perch {

class ConfigWatch {
 public:
  // `on_change` may destroy the watch. The error says which directory cannot be watched, and why.
  static Result<std::unique_ptr<ConfigWatch>> start(Loop& loop, std::string file,
                                                    std::function<void()> on_change);

  // The contents that the file has now have been read.
  void note_contents();

 private:
  ConfigWatch(Loop& loop, std::string file, std::function<void()> on_change);
  Result<void> watch_directories();
  void on_events();
  void look();

  std::string file_;
  std::function<void()> on_change_;
  UniqueFd inotify_;
  std::optional<FdWatcher> watcher_;
  Timer look_;
  std::set<std::string, std::less<>> names_;  // whose events count
  std::optional<std::uint64_t> contents_;     // a hash of them; none: unreadable
};

}  // namespace perch

// SPDX-License-Identifier: Apache-2.0
#include "supervisor/config_watch.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <string_view>

#include "supervisor/config/load.h"

namespace perch {
namespace {

constexpr std::uint32_t kEvents =
    IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE_SELF | IN_MOVE_SELF;
// A file is written in several steps, and a ConfigMap swapped: one look for all of them.
constexpr std::chrono::milliseconds kSettle{200};
// While the directory itself is away.
constexpr std::chrono::seconds kRetry{5};

std::string directory_of(const std::string& file) {
  const auto directory = std::filesystem::path(file).parent_path();
  return directory.empty() ? "." : directory.string();
}

std::optional<std::uint64_t> hash_of(const std::string& file) {
  const auto text = config::read_source(file);
  if (!text) return std::nullopt;
  return std::hash<std::string>{}(*text);
}

}  // namespace

Result<std::unique_ptr<ConfigWatch>> ConfigWatch::start(Loop& loop, std::string file,
                                                        std::function<void()> on_change) {
  std::unique_ptr<ConfigWatch> watch(new ConfigWatch(loop, std::move(file), std::move(on_change)));
  watch->inotify_ = UniqueFd(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!watch->inotify_) return fail("inotify");
  if (auto watched = watch->watch_directories(); !watched) {
    return std::unexpected(std::move(watched.error()));
  }
  auto watcher = FdWatcher::create(loop, watch->inotify_.get(),
                                   [raw = watch.get()](Readiness) { raw->on_events(); });
  if (!watcher) return std::unexpected(std::move(watcher.error()));
  watch->watcher_ = std::move(*watcher);
  watch->watcher_->watch({.readable = true});
  watch->note_contents();
  return watch;
}

ConfigWatch::ConfigWatch(Loop& loop, std::string file, std::function<void()> on_change)
    : file_(std::move(file)),
      on_change_(std::move(on_change)),
      look_(loop, [this](std::chrono::milliseconds) { look(); }) {}

void ConfigWatch::note_contents() { contents_ = hash_of(file_); }

// Watching a directory twice is watching it once.
Result<void> ConfigWatch::watch_directories() {
  std::error_code unresolved;
  const std::string target = std::filesystem::canonical(file_, unresolved).string();
  names_ = {std::filesystem::path(file_).filename().string(), "..data"};
  const std::string directory = directory_of(file_);
  if (::inotify_add_watch(inotify_.get(), directory.c_str(), kEvents | IN_ONLYDIR) < 0) {
    return fail("watch " + directory);
  }
  if (unresolved) return {};
  names_.insert(std::filesystem::path(target).filename().string());
  // A second directory that cannot be watched costs news of changes there alone.
  static_cast<void>(
      ::inotify_add_watch(inotify_.get(), directory_of(target).c_str(), kEvents | IN_ONLYDIR));
  return {};
}

void ConfigWatch::on_events() {
  alignas(inotify_event) std::array<char, 4096> buffer;  // NOLINT: read fills it
  for (;;) {
    const ssize_t got = ::read(inotify_.get(), buffer.data(), buffer.size());
    if (got <= 0) return;
    const std::string_view events(buffer.data(), static_cast<std::size_t>(got));
    for (std::size_t at = 0; at + sizeof(inotify_event) <= events.size();) {
      inotify_event event;  // NOLINT(cppcoreguidelines-pro-type-member-init): copied into
      std::memcpy(&event, events.data() + at, sizeof event);
      const char* const name = events.data() + at + sizeof event;
      // Without a name it is the directory itself that went, or events were lost.
      if (event.len == 0 || names_.contains(std::string_view(name))) {
        if (!look_.armed()) look_.arm(kSettle);
      }
      at += sizeof event + event.len;
    }
  }
}

void ConfigWatch::look() {
  if (!watch_directories()) return look_.arm(kRetry);
  const auto now = hash_of(file_);
  // A file that is away is on its way back, or `perch reload` will say what is wrong.
  if (!now || now == contents_) return;
  contents_ = now;
  const auto on_change = on_change_;
  on_change();
}

}  // namespace perch
